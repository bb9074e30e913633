package archive

import "io"

// A pipe between two stages holds at most this much, in recycled buffers: enough for one stage to run ahead through the other's hiccups, with so few
// hand-overs that they cost nothing.
const (
	pipeBuffers = 4
	pipeBuffer  = 256 << 10 // bytes
)

// pipe carries bytes from one goroutine to another. Either side can end it: the writer with finish, the reader with stop.
type pipe struct {
	full, free chan []byte
	current    []byte        // the writer's, being filled
	end        error         // what the reader gets after the last buffer; set before full is closed
	stopped    chan struct{} // closed by stop
	stopErr    error         // what the writer gets from then on; set before stopped is closed
	rest, held []byte        // the reader's: the unread rest of the buffer that it holds
}

func newPipe() *pipe {
	p := &pipe{full: make(chan []byte, pipeBuffers), free: make(chan []byte, pipeBuffers), stopped: make(chan struct{})}
	for range pipeBuffers {
		p.free <- make([]byte, 0, pipeBuffer)
	}
	return p
}

// buffer returns the buffer that is being filled, which has room.
func (p *pipe) buffer() ([]byte, error) {
	if p.current == nil {
		select {
		case p.current = <-p.free:
		case <-p.stopped:
			return nil, p.stopErr
		}
	}
	return p.current, nil
}

// pass hands the current buffer to the reader. There is always room: full takes as many buffers as there are.
func (p *pipe) pass() {
	p.full <- p.current
	p.current = nil
}

// Write copies data into the pipe and waits for room. Once the reader has stopped, it returns the error given to stop.
func (p *pipe) Write(data []byte) (int, error) {
	written := 0
	for written < len(data) {
		buf, err := p.buffer()
		if err != nil {
			return written, err
		}
		n := copy(buf[len(buf):cap(buf)], data[written:])
		p.current = buf[:len(buf)+n]
		written += n
		if len(p.current) == cap(p.current) {
			p.pass()
		}
	}
	return written, nil
}

// readFrom reads r straight into the pipe, until r ends (nil), fails, or the reader stops.
func (p *pipe) readFrom(r io.Reader) error {
	for {
		buf, err := p.buffer()
		if err != nil {
			return err
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		p.current = buf[:len(buf)+n]
		if len(p.current) == cap(p.current) {
			p.pass()
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// finish ends the pipe from the writer's side; nil means the end of the data, an error is passed on to the reader.
func (p *pipe) finish(err error) {
	if err == nil && p.current != nil {
		p.pass()
	}
	if p.end = err; err == nil {
		p.end = io.EOF
	}
	close(p.full)
}

// next returns the next bytes, which are good until the next call.
func (p *pipe) next() ([]byte, error) {
	if p.held != nil {
		p.free <- p.held[:0]
		p.held = nil
	}
	buf, ok := <-p.full
	if !ok {
		return nil, p.end
	}
	p.held = buf
	return buf, nil
}

// Read is next in the form of an io.Reader.
func (p *pipe) Read(data []byte) (int, error) {
	for len(p.rest) == 0 {
		buf, err := p.next()
		if err != nil {
			return 0, err
		}
		p.rest = buf
	}
	n := copy(data, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// stop ends the pipe from the reader's side: the writer gets err. It may be called once, even after the end.
func (p *pipe) stop(err error) {
	p.stopErr = err
	close(p.stopped)
}
