//go:build !linux

package models

import "syscall"

func limitUnacknowledged(string, string, syscall.RawConn) error { return nil }
