// Package declared keeps attached clusters in line with a file that declares them: it reads the file, says what has to be done about it, and does
// that again until it is done.
package declared
