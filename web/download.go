package web

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"rekindle/models"
)

// download streams a part of a snapshot: "1.rdb" as a plain RDB file, "1.rdb.zst" as it is stored.
func (h snapshotPages) download(w http.ResponseWriter, r *http.Request) error {
	snapshot, err := h.db.Snapshots.Get(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	part, isPlain, err := downloadable(snapshot, r.PathValue("file"))
	if err != nil {
		return err
	}
	size, name, media := part.Stored, fileName(snapshot, part)+".rdb.zst", "application/zstd"
	if isPlain {
		size, name, media = part.Bytes, fileName(snapshot, part)+".rdb", "application/octet-stream"
	}
	announce := func() {
		header := w.Header()
		header.Set("Content-Type", media)
		header.Set("Content-Length", strconv.FormatInt(size, 10))
		header.Set("Content-Disposition", `attachment; filename="`+name+`"`) // names have only letters, digits, dots and hyphens
		header.Set("Cache-Control", "private, no-store")
	}
	if r.Method == http.MethodHead {
		announce()
		return nil
	}
	content, err := h.jobs.OpenPart(r.Context(), snapshot, part, isPlain)
	if err != nil {
		return fmt.Errorf("open part %d of %s: %w", part.Number, snapshot.Name, err)
	}
	defer content.Close()
	// A large file over a slow line takes as long as it takes.
	if err := http.NewResponseController(w).SetWriteDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("lift write deadline: %w", err)
	}
	announce()
	sent, err := io.Copy(w, content)
	if err == nil && sent == size {
		return nil
	}
	// The length was promised. Only breaking the connection can tell that the file is incomplete.
	if r.Context().Err() == nil {
		h.log.ErrorContext(r.Context(), "download cut", "request", visitOf(r).id, "snapshot", snapshot.Name, "part", part.Number,
			"sent", sent, "size", size, "error", err)
	}
	panic(http.ErrAbortHandler)
}

// downloadable returns the part that a file name stands for, and whether it means the plain RDB.
func downloadable(snapshot models.Snapshot, file string) (part models.Part, isPlain bool, err error) {
	back := problem{status: http.StatusNotFound, back: snapshotAddress(snapshot.Name), backText: "To the snapshot"}
	number, isPlain := strings.CutSuffix(file, ".rdb")
	if !isPlain {
		var isStored bool
		if number, isStored = strings.CutSuffix(file, ".rdb.zst"); !isStored {
			back.text = fmt.Sprintf("A snapshot has files such as 1.rdb and 1.rdb.zst, not %q.", file)
			return part, false, back
		}
	}
	part, found := findPart(snapshot, number)
	switch {
	case !snapshot.Usable():
		back.status, back.title = http.StatusConflict, "This snapshot cannot be downloaded"
		back.text = fmt.Sprintf("The snapshot %s is %s; only an available one can be downloaded.", snapshot.Name, snapshot.Status)
		return part, false, back
	case !found:
		back.text = fmt.Sprintf("The snapshot %s has no part %q.", snapshot.Name, number)
		return part, false, back
	}
	return part, isPlain, nil
}

func findPart(snapshot models.Snapshot, number string) (models.Part, bool) {
	for _, p := range snapshot.Parts {
		if strconv.Itoa(p.Number) == number {
			return p, true
		}
	}
	return models.Part{}, false
}

// fileName is the downloaded file's name without its extension: the snapshot's, with the part's number if there are several.
func fileName(snapshot models.Snapshot, part models.Part) string {
	if len(snapshot.Parts) == 1 {
		return snapshot.Name
	}
	return fmt.Sprintf("%s-part-%04d", snapshot.Name, part.Number)
}
