//go:build !linux

package models

import "time"

func hostTime() (time.Duration, bool) { return 0, false }
