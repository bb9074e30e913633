// Package declared keeps attached clusters in line with a file that declares them: it reads the file, works out what is to be done, and repeats that
// until it is done.
package declared
