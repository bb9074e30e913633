package primary_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain fails the run when a goroutine of this package is still there after all tests.
func TestMain(m *testing.M) {
	code := m.Run()
	if left := leftGoroutines(); left != "" {
		fmt.Println("FAIL: a goroutine was left behind:\n" + left)
		code = 1
	}
	os.Exit(code)
}

// leftGoroutines returns the stacks of this package's goroutines, after a moment for those that are about to end.
func leftGoroutines() string {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	left := ""
	for range 100 {
		buf := make([]byte, 1<<20)
		buf = buf[:runtime.Stack(buf, true)]
		left = ""
		for stack := range strings.SplitSeq(string(buf), "\n\n") {
			if strings.Contains(stack, "rekindle/internal/primary.") {
				left += stack + "\n\n"
			}
		}
		if left == "" {
			break
		}
		<-tick.C
	}
	return left
}
