package web

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"rekindle/models"
)

// Upload of the fake reads everything, as the real one does, and remembers it.
func (j *fakeJobs) Upload(_ context.Context, spec models.ImportSpec, _ int64, next func() (string, io.ReadCloser, error)) (models.Run, error) {
	var files []string
	for {
		name, body, err := next()
		if err == io.EOF {
			break
		} else if err != nil {
			return models.Run{}, err
		}
		content, err := io.ReadAll(body)
		if err != nil {
			return models.Run{}, err
		}
		files = append(files, fmt.Sprintf("%s:%d", name, len(content)))
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.uploads = append(j.uploads, spec.Cluster+"/"+spec.Name+" "+strings.Join(files, " "))
	if spec.Name == "refused" {
		return models.Run{}, models.Faults{{Code: models.CodeInvalid, Field: "file", Message: "The file dump.rdb is damaged."}}
	}
	return models.Run{}, nil
}

// uploadForm is the body of an upload as a browser sends it: fields in pairs, then files.
func uploadForm(fields []string, files map[string][]byte) (string, *bytes.Buffer) {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for i := 0; i+1 < len(fields); i += 2 {
		_ = w.WriteField(fields[i], fields[i+1])
	}
	for name, content := range files {
		part, _ := w.CreateFormFile("file", name)
		_, _ = part.Write(content)
	}
	_ = w.Close()
	return w.FormDataContentType(), &body
}

func (c *console) upload(fields []string, files map[string][]byte) answer {
	c.t.Helper()
	kind, body := uploadForm(fields, files)
	r := c.request(http.MethodPost, importPath, body)
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Origin", c.server.URL)
	return c.do(r)
}

func TestUploadStreamsFilesLargerThanAForm(t *testing.T) {
	t.Parallel()
	c := signedIn(t, func(config *Config) { config.MaxUpload = 8 << 20 })
	big := bytes.Repeat([]byte{'x'}, 5<<20) // forms end at 1 MiB
	c.upload([]string{"cluster", "Elsewhere", "name", "Back"}, map[string][]byte{"dump.rdb": big}).redirects("/snapshots/back")
	if got, want := strings.Join(c.jobs.uploads, ";"), fmt.Sprintf("elsewhere/back dump.rdb:%d", len(big)); got != want {
		t.Errorf("uploaded was %q, want %q", got, want)
	}
	for _, test := range []struct {
		fields []string
		files  map[string][]byte
		says   string
	}{
		{[]string{"cluster", "a--b", "name", "x"}, map[string][]byte{"dump.rdb": big}, "two hyphens in a row"},
		{[]string{"cluster", "a", "name", ""}, map[string][]byte{"dump.rdb": big}, "Enter a snapshot name."},
		{[]string{"cluster", "a", "name", "x"}, nil, "Choose an RDB file."},
		{[]string{"cluster", "a", "name", "x"}, map[string][]byte{"": {}}, "Choose an RDB file."},
		{[]string{"cluster", "a", "name", "refused"}, map[string][]byte{"dump.rdb": big}, "The file dump.rdb is damaged."},
		{[]string{"cluster", "a", "name", "x"}, map[string][]byte{"dump.rdb": bytes.Repeat([]byte{'x'}, 9<<20)}, "which is the limit here"},
	} {
		got := c.upload(test.fields, test.files)
		if got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, test.says) || !strings.Contains(got.raw, `value="`+test.fields[1]+`"`) {
			t.Errorf("%v: %d, want 422 with %q and what was typed:\n%.1500s", test.fields, got.status, test.says, got.body)
		}
	}
}

func TestUploadNeedsASessionAndTheConsolesOwnPage(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	if got := c.upload([]string{"cluster", "a", "name", "x"}, map[string][]byte{"dump.rdb": []byte("REDIS")}); got.status != http.StatusSeeOther || !strings.HasPrefix(got.header.Get("Location"), "/sign-in") {
		t.Errorf("without a session: %d to %q", got.status, got.header.Get("Location"))
	}
	c.signIn()
	kind, body := uploadForm([]string{"cluster", "a", "name", "x"}, map[string][]byte{"dump.rdb": []byte("REDIS")})
	r := c.request(http.MethodPost, importPath, body)
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Origin", "https://evil.example.org")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if got := c.do(r); got.status != http.StatusForbidden {
		t.Errorf("from another site: %d", got.status)
	}
	// Every other route keeps its limit, multipart or not.
	kind, body = uploadForm([]string{"name", "x"}, map[string][]byte{"dump.rdb": bytes.Repeat([]byte{'x'}, 2<<20)})
	r = c.request(http.MethodPost, "/snapshots/-/new", body)
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Origin", c.server.URL)
	if got := c.do(r); got.status == http.StatusOK || got.status == http.StatusSeeOther {
		t.Errorf("a large body elsewhere: %d", got.status)
	}
	if len(c.jobs.uploads) != 0 {
		t.Errorf("uploaded was %v", c.jobs.uploads)
	}
}

func TestImportFormNamesEveryMistakeAndKeepsWhatWasTyped(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.get(importPath).says("Import a snapshot", "create-replication-group", "--snapshot-arns")
	got := c.post(importPath, "cluster", "9lives", "name", "a--b", "sources", "ftp://x/y\ndir:relative/dump.rdb")
	if got.status != http.StatusUnprocessableEntity {
		t.Errorf("status %d", got.status)
	}
	got.says("must begin with a letter", "two hyphens in a row", "is not the address of a file", "9lives", "ftp://x/y")
	c.post(importPath, "cluster", "a", "name", "x", "sources", "").says("Say which files are to be imported")
	c.post(importPath, "cluster", "a", "name", "x", "sources", "s3://b/x.rdb\ns3://b/x.rdb").says("is named twice")
	c.post(importPath, "cluster", "a", "name", "x", "sources", "s3://key:secret@b/x.rdb").says("is not the address of a file")
	c.post(importPath, "cluster", "a", "name", "x", "sources", "arn:aws:s3:::b/f/x.rdb\n s3://b/f/y.rdb?region=eu-west-1 \n").redirects("/snapshots/x")
	runs, err := c.db.Runs.Active(t.Context())
	if err != nil || len(runs) != 1 {
		t.Fatalf("%d runs (%v)", len(runs), err)
	}
	args, err := models.Args[models.ImportArgs](runs[0])
	if err != nil || strings.Join(args.Sources, " ") != "s3://b/f/x.rdb s3://b/f/y.rdb?region=eu-west-1" {
		t.Errorf("the sources are %q (%v)", args.Sources, err)
	}
	c.post(importPath, "cluster", "a", "name", "x", "sources", "s3://b/z.rdb").says("There is already a snapshot x")
}
