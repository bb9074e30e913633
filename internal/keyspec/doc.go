// Package keyspec says which words of a command are keys that it changes, and what it does to them: of every command that a Redis from 6.0 to 8 or a
// Valkey up to 9 passes on to its replicas.
//
// Where the keys of a command are is in commands.txt, which a test makes from what real servers say of themselves (COMMAND INFO, key specifications), and
// compares with what they make of whole commands (COMMAND GETKEYSANDFLAGS). What it does to them follows from the flags there, and for some commands from
// their names. Keys that a command only reads are left out.
//
// A command that is not in the table, one of a module for example, may change the key that its first argument names. That is a guess, and said to be one.
package keyspec
