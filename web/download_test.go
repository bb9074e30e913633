package web

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"rekindle/models"
)

func TestPartsAreDownloadedWhole(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.backUp("orders", "first")
	for _, one := range []struct{ file, content, media, name string }{
		{"1.rdb", plainPart, "application/octet-stream", "first.rdb"},
		{"1.rdb.zst", storedPart, "application/zstd", "first.rdb.zst"},
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			answer := c.do(c.request(method, "/snapshots/first/parts/"+one.file, nil)).is(http.StatusOK)
			if method == http.MethodGet && answer.raw != one.content {
				t.Errorf("%s: %q", one.file, answer.raw)
			}
			for name, want := range map[string]string{"Content-Type": one.media, "Content-Length": strconv.Itoa(len(one.content)),
				"Content-Disposition": `attachment; filename="` + one.name + `"`, "Cache-Control": "private, no-store"} {
				if got := answer.header.Get(name); got != want {
					t.Errorf("%s %s: %s is %q, want %q", method, one.file, name, got, want)
				}
			}
		}
	}
	for _, file := range []string{"2.rdb", "0.rdb", "01.rdb", "x.rdb", "1.txt", "1", ".rdb", "1.rdb.zst.rdb"} {
		c.get("/snapshots/first/parts/" + file).is(http.StatusNotFound).says("To the snapshot")
	}
}

func TestASnapshotThatIsNotThereYetCannotBeDownloadedOrRestored(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	_, err := c.db.Snapshots.Request(t.Context(), "orders", "first", false, "admin")
	c.check(err)
	c.get("/snapshots/first/parts/1.rdb").is(http.StatusConflict).says("only an available one can be downloaded")
	c.get("/snapshots/first/restore").is(http.StatusConflict).says("only an available one can be restored")
	c.post("/snapshots/first/restore", "id", "copy").is(http.StatusConflict)
	c.check(c.db.Settle.Fail(t.Context(), c.claim(), models.RunFailed, "The disk is full."))
	c.get("/snapshots/first/parts/1.rdb").is(http.StatusConflict)
	c.get("/snapshots/first").is(http.StatusOK).says("The disk is full.")
}

// cutReader ends early: with an error, or as if that were all.
type cutReader struct {
	io.Reader
	err error
}

func (r cutReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err == io.EOF {
		err = r.err
	}
	return n, err
}
func (cutReader) Close() error { return nil }

func TestACutDownloadIsNeverTakenForAWholeOne(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.backUp("orders", "first")
	for name, content := range map[string]io.ReadCloser{
		"the store fails":       cutReader{strings.NewReader(plainPart[:20]), errOnPurpose},
		"it ends early":         cutReader{strings.NewReader(plainPart[:20]), io.EOF},
		"nothing at all":        cutReader{strings.NewReader(""), errOnPurpose},
		"it is longer than due": cutReader{strings.NewReader(plainPart + "!"), io.EOF},
	} {
		c.jobs.change(func(a *answers) { a.open = func(bool) (io.ReadCloser, error) { return content, nil } })
		response, err := c.browser.Do(c.request(http.MethodGet, "/snapshots/first/parts/1.rdb", nil))
		if err == nil {
			_, err = io.ReadAll(response.Body)
			_ = response.Body.Close()
		}
		if err == nil {
			t.Errorf("%s: the client takes it for whole", name)
		}
	}
	if log := c.log.String(); strings.Count(log, "download cut") < 4 {
		t.Errorf("the log has not all of them:\n%s", log)
	}
	c.jobs.change(func(a *answers) {
		a.open = func(bool) (io.ReadCloser, error) { return nil, errors.New("no such object") }
	})
	c.get("/snapshots/first/parts/1.rdb").is(http.StatusInternalServerError).doesNotSay("no such object")
}
