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
