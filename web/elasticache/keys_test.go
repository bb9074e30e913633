package elasticache

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"rekindle/models"
)

// value is the text of the first element of this name in an answer.
func value(body, element string) string {
	_, rest, _ := strings.Cut(body, "<"+element+">")
	text, _, _ := strings.Cut(rest, "</"+element+">")
	return text
}

// claim has a run begun, as a console does.
func (b *bench) claim(id string) models.Run {
	b.t.Helper()
	owner, err := b.db.Owners.Enroll(b.t.Context(), (&host{}).Home(), time.Minute)
	b.check(err)
	run, found, err := b.db.Runs.Claim(b.t.Context(), owner.ID, func(r models.Run) bool { return presentRun(r).RunId == id })
	b.check(err)
	if !found {
		b.t.Fatalf("there is no run %s to claim", id)
	}
	return run
}

// withSnapshot is a bench with the cluster orders and its snapshot good.
func withSnapshot(t *testing.T) *bench {
	b := newBench(t)
	b.launch(models.ClusterSpec{Name: "orders"})
	b.see("orders")
	if status, body := b.send(form("CreateSnapshot", "SnapshotName", "good", "ReplicationGroupId", "orders")); status != 200 {
		t.Fatal(body)
	}
	b.settle()
	return b
}

func TestKeysAreLookedForByTheAPI(t *testing.T) {
	t.Parallel()
	b := withSnapshot(t)
	ctx := t.Context()
	once := func(r *http.Request) { r.Header.Set("Amz-Sdk-Invocation-Id", "one") }
	attempt := func(n string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Amz-Sdk-Request", "attempt="+n) }
	}
	asked := form("RekindleFindKeys", "ClusterName", "Orders", "Key", `"secret\xff\n"`)
	status, body := b.send(asked, once, attempt("1"))
	id := value(body, "RunId")
	if status != 200 || id == "" || value(body, "Status") != "queued" || value(body, "Kind") != "find" || strings.Contains(body, "secret") {
		t.Fatalf("%d %s", status, body)
	}
	if _, again := b.send(asked, once, attempt("2")); value(again, "RunId") != id {
		t.Errorf("the same invocation is another run: %s", again)
	}
	if _, other := b.send(asked); value(other, "RunId") == id || value(other, "RunId") == "" {
		t.Errorf("another request is the same run: %s", other)
	}
	run := b.claim(id)
	kept, _, err := b.db.Finds.Get(ctx, run.ID)
	b.check(err)
	if string(kept.Sought) != "secret\xff\n" {
		t.Errorf("looked for is %q", kept.Sought)
	}
	_, err = b.db.Finds.Begin(ctx, run)
	b.check(err)
	at := b.clock.Now().Add(time.Hour)
	b.check(b.db.Finds.Note(ctx, run, 10, models.FindProgress{Place: 0, Matches: 1, Done: 1, Keys: []models.FoundKey{{Part: 1, Database: 3, Name: []byte("cart:\x00"), Length: 6, Type: "hash", Bytes: 7, ExpiresAt: &at, Digest: "d"}}}))
	b.check(b.db.Finds.Settle(ctx, run))
	status, body = b.send(form("RekindleDescribeFind", "RunId", id))
	for element, want := range map[string]string{"Matches": "1", "SnapshotName": "good", "State": "searched", "Database": "3", "Type": "hash", "NameLength": "6", "Name": `&#34;cart:\x00&#34;`} {
		if got := value(body, element); status != 200 || got != want {
			t.Errorf("%s is %q, want %q:\n%s", element, got, want, body)
		}
	}
	b.check(b.db.Settings.SaveHidesKeyNames(ctx, true))
	if _, body = b.send(form("RekindleDescribeFind", "RunId", id)); strings.Contains(body, "cart:") || value(body, "NameLength") != "6" {
		t.Errorf("hidden names: %s", body)
	}
	if strings.Contains(b.log.String(), "secret") {
		t.Errorf("the log has a name: %s", b.log)
	}
}

func TestChangesInAJournalAreListedByTheAPI(t *testing.T) {
	t.Parallel()
	b := withSnapshot(t)
	ctx := t.Context()
	cluster := must(b.db.Clusters.Get(ctx, "orders"))(t)
	owner := must(b.db.Owners.Enroll(ctx, "journal", time.Hour))(t)
	link, _, err := b.db.Recording.Claim(ctx, cluster, 1, owner.ID)
	b.check(err)
	b.check(b.db.Recording.Stored(ctx, link, models.JournalSegment{ClusterID: cluster.ID, Shard: 1, Run: "run1", To: 10, Begin: b.clock.Now(), End: b.clock.Now(), Key: "one"}, nil, ""))
	status, body := b.send(form("RekindleFindKeys", "ClusterName", "orders", "Key", "a", "Where", "journal", "Since", "2026-03-10T12:00:00.9Z"))
	id := value(body, "RunId")
	if status != 200 || id == "" {
		t.Fatalf("%d %s", status, body)
	}
	if _, body = b.send(form("RekindleDescribeChanges", "RunId", id)); value(body, "Changes") != "0" || value(body, "Done") != "false" {
		t.Errorf("before it begins: %s", body)
	}
	run := b.claim(id)
	args := must(models.Args[models.FindArgs](run))(t)
	if j := args.Journal; j == nil || !j.Only || !j.Since.Equal(time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)) || !j.Until.IsZero() {
		t.Errorf("asked for is %+v", j)
	}
	_, err = b.db.Finds.Begin(ctx, run)
	b.check(err)
	found := models.FoundChanges{Count: 30, Holes: []models.FindHole{{Shard: 1, Reason: "It is missing."}}}
	for i := range 30 {
		found.Changes = append(found.Changes, models.FoundChange{At: b.clock.Now().Add(time.Duration(i) * time.Second), Shard: 1, Database: 2, Command: "RENAME", Kind: models.ChangeRenamedTo, Word: 1,
			Name: []byte("secret:1"), Length: 8, Other: []byte("secret:2"), OtherDatabase: -1, Bytes: int64(i)})
	}
	b.check(b.db.Finds.NoteChanges(ctx, run, 30, found))
	b.check(b.db.Finds.JournalDone(ctx, run))
	_, body = b.send(form("RekindleDescribeChanges", "RunId", id, "MaxRecords", "20"))
	for element, want := range map[string]string{"Changes": "30", "Kept": "30", "Done": "true", "Unread": "1", "Message": "It is missing.", "Database": "2", "Command": "RENAME", "Text": "Renamed to secret:2",
		"Name": "secret:1", "Bytes": "29"} {
		if got := value(body, element); got != want {
			t.Errorf("%s is %q, want %q:\n%s", element, got, want, body)
		}
	}
	if !strings.Contains(body, "<Kind>renamed to</Kind>") {
		t.Errorf("the kind is missing: %s", body)
	}
	next := value(body, "Marker")
	if _, body = b.send(form("RekindleDescribeChanges", "RunId", id, "MaxRecords", "20", "Marker", next)); strings.Count(body, "<Change>") != 10 || value(body, "Bytes") != "9" || strings.Contains(body, "<Marker>") {
		t.Errorf("the second page: %s", body)
	}
	b.check(b.db.Settings.SaveHidesKeyNames(ctx, true))
	if _, body = b.send(form("RekindleDescribeChanges", "RunId", id)); strings.Contains(body, "secret") || value(body, "Text") != "Renamed to another key" {
		t.Errorf("hidden names: %s", body)
	}
}

func TestKeysAreBroughtBackByTheAPI(t *testing.T) {
	t.Parallel()
	b := withSnapshot(t)
	ctx := t.Context()
	asked := form("RekindleBringKeysBack", "SnapshotName", "good", "ClusterName", "orders", "Keys.member.1", "session:42", "Keys.member.2", ` led by a space`, "Keys.member.3", "session:42",
		"Prefix", "restored:", "Existing", "replace", "Deadlines", "drop", "Database", "2", "Rehearse", "true")
	status, body := b.send(asked)
	id := value(body, "RunId")
	if status != 200 || id == "" || value(body, "Kind") != "bring-back" {
		t.Fatalf("%d %s", status, body)
	}
	run := b.claim(id)
	spec := must(b.db.BringBacks.Spec(ctx, run))(t)
	if c := spec.Choice; len(c.Names) != 2 || string(c.Names[1]) != " led by a space" || string(c.Prefix) != "restored:" || c.Database != 2 || !spec.Replace || !spec.Rehearse || spec.Deadlines != models.DeadlinesDropped {
		t.Errorf("asked for is %+v", spec)
	}
	b.check(b.db.BringBacks.Settle(ctx, run, models.Brought{Chosen: 2, Added: 1, Replaced: 1, Keys: []models.BroughtKey{{Name: []byte("restored:session:42"), Length: 19, Type: "string", Fate: "new"}}}, ""))
	status, body = b.send(form("RekindleDescribeRun", "RunId", id))
	for element, want := range map[string]string{"Status": "succeeded", "Rehearsed": "true", "Chosen": "2", "Added": "1", "Replaced": "1", "Name": "restored:session:42", "Fate": "new"} {
		if got := value(body, element); status != 200 || got != want {
			t.Errorf("%s is %q, want %q:\n%s", element, got, want, body)
		}
	}
	b.check(b.db.Settings.SaveHidesKeyNames(ctx, true))
	if _, body = b.send(form("RekindleDescribeRun", "RunId", id)); strings.Contains(body, "session") {
		t.Errorf("hidden names: %s", body)
	}

	_, body = b.send(form("RekindleBringKeysBack", "SnapshotName", "good", "ClusterName", "orders", "Pattern", "cart:*"))
	id = value(body, "RunId")
	if status, body = b.send(form("RekindleCancelRun", "RunId", id)); status != 200 || value(body, "Status") != "cancelled" {
		t.Errorf("%d %s", status, body)
	}
	if status, body = b.send(form("RekindleCancelRun", "RunId", id, "Again", "1")); status != 200 || value(body, "Status") != "cancelled" {
		t.Errorf("cancelled again: %d %s", status, body)
	}
}

func TestWhatIsWrongWithARequestAboutKeysIsSaid(t *testing.T) {
	t.Parallel()
	b := withSnapshot(t)
	bring := func(pairs ...string) []string {
		return append([]string{"RekindleBringKeysBack", "SnapshotName", "good", "ClusterName", "orders"}, pairs...)
	}
	for says, test := range map[string]struct {
		code string
		form []string
	}{
		"There is no snapshot nothing.":              {"SnapshotNotFoundFault", []string{"RekindleFindKeys", "SnapshotName", "nothing", "Key", "a"}},
		"There is no snapshot of nobody":             {"SnapshotNotFoundFault", []string{"RekindleFindKeys", "ClusterName", "nobody", "Key", "a"}},
		"Enter the name of a key.":                   {codeInvalidValue, []string{"RekindleFindKeys", "ClusterName", "orders"}},
		"Name either a Key or a Pattern.":            {codeCombination, []string{"RekindleFindKeys", "ClusterName", "orders", "Key", "a", "Pattern", "b"}},
		"The request must contain the parameter Run": {"MissingParameter", []string{"RekindleDescribeFind"}},
		"There is no run 99 that looks for keys":     {"RunNotFoundFault", []string{"RekindleDescribeRun", "RunId", "99"}},
		"There is no run 1 that looks for keys":      {"RunNotFoundFault", []string{"RekindleCancelRun", "RunId", "1"}}, // it has made the cluster
		"Existing must be skip or replace":           {codeInvalidValue, bring("Keys.member.1", "a", "Existing", "perhaps")},
		"Deadlines must be keep, shift or drop":      {codeInvalidValue, bring("Keys.member.1", "a", "Deadlines", "never")},
		"Another name can be given to one key only":  {codeCombination, bring("Pattern", "*", "As", "b")},
		"Enter the names of keys":                    {codeInvalidValue, bring()},
		"There is no cluster nobody.":                {"ReplicationGroupNotFoundFault", []string{"RekindleBringKeysBack", "SnapshotName", "good", "ClusterName", "nobody", "Keys.member.1", "a"}},
	} {
		status, body := b.send(form(test.form[0], test.form[1:]...))
		if status < 400 || code(body) != test.code || !strings.Contains(body, says) {
			t.Errorf("%v: %d %s", test.form, status, body)
		}
	}
}
