package testkit

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Template is a file that takes a while to make, such as a catalog with all its tables. It is made once in a test binary, and every test gets
// its own copy.
type Template struct {
	make    func(path string) error
	once    sync.Once
	content []byte
	err     error
}

// NewTemplate is a file that is made when it is first needed. make must have closed the file when it returns.
func NewTemplate(make func(path string) error) *Template { return &Template{make: make} }

// Copy puts a copy at this path, unless a file is there already.
func (f *Template) Copy(t testing.TB, path string) {
	t.Helper()
	f.once.Do(func() { f.content, f.err = f.read() })
	if f.err != nil {
		t.Fatalf("make the template of %s: %v", filepath.Base(path), f.err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return
	}
	if err == nil {
		_, err = file.Write(f.content)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (f *Template) read() ([]byte, error) {
	folder, err := os.MkdirTemp("", "rekindle-template-")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(folder, "template")
	err = f.make(path)
	var content []byte
	if err == nil {
		content, err = os.ReadFile(path)
	}
	return content, errors.Join(err, os.RemoveAll(folder))
}
