//go:build !linux

package catalog

import "time"

func hostTime() (time.Duration, bool) { return 0, false }
