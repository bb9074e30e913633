package testkit

import (
	"os/exec"
	"runtime"
	"syscall"
)

// startBound starts a program that ends with the test binary, however that ends (a timeout, a kill); done is closed when it has ended. The
// kernel kills such a program when the thread that started it ends. Hence the goroutine that keeps its thread to itself: any other thread
// might end earlier.
func startBound(cmd *exec.Cmd) (done chan struct{}, err error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	started, done := make(chan error, 1), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer close(done)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	return done, <-started
}
