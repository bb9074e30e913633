package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/a-h/templ"

	"rekindle/models"
	"rekindle/views"
)

const importPath = "/snapshots/-/import"

// maxUpload is the largest upload by default: more than any ElastiCache node holds.
const maxUpload = 1 << 40

// isUpload tells whether a request carries files: only such a request may be larger than a form.
func isUpload(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return r.Method == http.MethodPost && r.URL.Path == importPath && err == nil && kind == "multipart/form-data"
}

type importPages struct {
	*site
	maxUpload int64
}

func (h importPages) importPage(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	return h.askImport(w, r, query, query.Get("from") == "upload", nil)
}

func (h importPages) askImport(w http.ResponseWriter, r *http.Request, form url.Values, upload bool, wrong mistakes) error {
	names, err := h.db.Clusters.FindNames(r.Context(), "", true, maxSuggestions)
	if err != nil {
		return err
	}
	props := views.ImportSnapshot{Upload: upload, Clusters: clusterOptions(names, ""), Limit: h.maxUpload, AWS: h.aws(r).createFromFiles(form.Get("cluster"), strings.Split(form.Get("sources"), "\n")),
		Fields: views.Fields{Errors: wrong, Values: map[string]string{"cluster": form.Get("cluster"), "name": form.Get("name"), "sources": form.Get("sources")}}}
	at := place{title: "Import", active: views.NavSnapshots, crumbs: []views.Crumb{snapshotsCrumb}, path: importPath}
	draw := func(shell views.Shell) templ.Component { return views.ImportSnapshotPage(shell, props) }
	return h.ask(w, r, at, wrong, draw)
}

var importFields = []string{"cluster", "name", "sources", "file"}

func (h importPages) importSnapshot(w http.ResponseWriter, r *http.Request) error {
	if isUpload(r) {
		return h.upload(w, r)
	}
	form, err := readForm(r)
	if err != nil {
		return err
	}
	wrong := mistakes{}
	spec := models.ImportSpec{Cluster: form.Get("cluster"), Name: form.Get("name"), Sources: strings.Split(form.Get("sources"), "\n"), RequestedBy: visitOf(r).user.Name}
	run, err := h.db.Copies.Import(r.Context(), spec)
	if err == nil {
		h.jobs.Wake()
		return h.begun(w, r, snapshotAddress(run.SnapshotName), run.ID, fmt.Sprintf("The snapshot %s is being imported.", run.SnapshotName))
	}
	if err := wrong.refusal(err, importFields); err != nil {
		return err
	}
	return h.askImport(w, r, form, false, wrong)
}

// Bounds of an upload's fields, which come before its files.
const (
	maxUploadFields = 16
	maxUploadField  = 4 << 10 // bytes
)

// upload streams the files of a form into the store, without a copy of them anywhere.
func (h importPages) upload(w http.ResponseWriter, r *http.Request) error {
	control := http.NewResponseController(w)
	in := &uploaded{control: control, limit: h.maxUpload}
	r.Body = &paced{ReadCloser: r.Body, deadline: control.SetReadDeadline, now: time.Now, patience: uploadIdle}
	reader, err := r.MultipartReader()
	if err != nil {
		return problem{status: http.StatusBadRequest}
	}
	in.reader = reader
	form, err := in.fields()
	wrong := mistakes{}
	spec := models.ImportSpec{Cluster: form.Get("cluster"), Name: form.Get("name"), RequestedBy: visitOf(r).user.Name}
	if err == nil {
		err = h.takeUpload(r.Context(), spec, r.ContentLength, in, wrong)
	}
	if err == nil && len(wrong) == 0 {
		in.rest()
		return h.done(w, r, snapshotAddress(strings.ToLower(strings.TrimSpace(spec.Name))), "success", fmt.Sprintf("The snapshot %s was imported.", spec.Name))
	}
	if err := wrong.refusal(err, importFields); err != nil {
		return err
	}
	in.drain(r.Body)
	return h.askImport(w, r, form, true, wrong)
}

func (h importPages) takeUpload(ctx context.Context, spec models.ImportSpec, size int64, in *uploaded, wrong mistakes) error {
	if in.first == nil || in.first.FileName() == "" {
		wrong.add("file", "Choose an RDB file.")
	}
	err := h.db.Copies.CheckImport(ctx, &spec, true)
	if err == nil && len(wrong) == 0 {
		_, err = h.jobs.Upload(ctx, spec, max(size, 0), in.next)
	}
	return err
}

// uploaded is the body of an upload: its fields, then its files.
type uploaded struct {
	control *http.ResponseController
	reader  *multipart.Reader
	first   *multipart.Part // the first file
	limit   int64
	read    int64
	reading atomic.Bool
}

// rest lifts the time limit: everything has arrived.
func (u *uploaded) rest() { _ = u.control.SetReadDeadline(time.Time{}) }

func (u *uploaded) fields() (url.Values, error) {
	form := url.Values{}
	for range maxUploadFields {
		part, err := u.reader.NextPart()
		if err == io.EOF {
			return form, nil
		} else if err != nil {
			return form, u.reason(err)
		}
		if part.FormName() == "file" {
			u.first = part
			return form, nil
		}
		value, err := io.ReadAll(io.LimitReader(part, maxUploadField))
		if err != nil {
			return form, u.reason(err)
		}
		form.Add(part.FormName(), string(value))
	}
	return form, problem{status: http.StatusBadRequest}
}

// next returns the files one after the other.
func (u *uploaded) next() (string, io.ReadCloser, error) {
	part := u.first
	u.first = nil
	for part == nil || part.FormName() != "file" || part.FileName() == "" {
		var err error
		if part, err = u.reader.NextPart(); err == io.EOF {
			u.rest()
			return "", nil, io.EOF
		} else if err != nil {
			return "", nil, u.reason(err)
		}
	}
	return part.FileName(), &uploadedFile{u, part}, nil
}

// reason says why reading the body failed.
func (u *uploaded) reason(err error) error {
	var tooLarge *http.MaxBytesError
	text := fmt.Sprintf("The upload was cut off after %s. Nothing of it was kept; try again.", views.SizeText(u.read))
	if errors.As(err, &tooLarge) {
		text = fmt.Sprintf("The upload is larger than %s, which is the limit here. Put the file into a store and import it from there.", views.SizeText(u.limit))
	}
	return models.Faults{{Code: models.CodeInvalid, Field: "file", Message: text}}
}

// Bounds of what is still read after an upload was refused, so that the browser reads the answer.
const (
	drainBytes = 64 << 20
	drainTime  = 20 * time.Second
)

func (u *uploaded) drain(body io.Reader) {
	_ = u.control.SetReadDeadline(time.Now().Add(drainTime))
	_, _ = io.CopyN(io.Discard, body, drainBytes)
	u.rest()
}

// uploadedFile is one file. Closing it while it is being read, for example because the import is cancelled, ends the read.
type uploadedFile struct {
	u    *uploaded
	part *multipart.Part
}

func (f *uploadedFile) Read(p []byte) (int, error) {
	f.u.reading.Store(true)
	n, err := f.part.Read(p)
	f.u.reading.Store(false)
	f.u.read += int64(n)
	if err != nil && err != io.EOF {
		err = f.u.reason(err)
	}
	if err != nil {
		f.u.rest()
	}
	return n, err
}

func (f *uploadedFile) Close() error {
	if f.u.reading.Load() {
		return f.u.control.SetReadDeadline(time.Unix(1, 0))
	}
	return nil
}
