package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Beside the snapshots there are two kinds of small records, which no snapshot needs but a lost host does: the clusters with their schedules, and the
// console's settings. They are described in docs/snapshot-format.md. List does not see them.
//
//	<cluster>/cluster.json    there as long as the cluster is wanted: its deletion removes it
//	console.json              the settings and the notification channels
const (
	clusterRecord = "cluster.json"
	consoleRecord = "console.json"
)

// recordVersion is the version of the records' format that is written. Readers refuse a higher one.
const recordVersion = 1

// ClusterRecord says how a cluster should be, without secrets.
type ClusterRecord struct {
	FormatVersion int           `json:"format_version"`
	Cluster       string        `json:"cluster"`
	WrittenAt     time.Time     `json:"written_at"`
	CreatedAt     time.Time     `json:"created_at"`
	Configuration Configuration `json:"configuration"`
	Attached      *Attached     `json:"attached,omitempty"` // of an attached cluster; nil: the cluster was launched
	Drills        *Drills       `json:"drills,omitempty"`   // nil: the schedule holds none
	Journal       *Journal      `json:"journal,omitempty"`  // nil: none is kept
}

// Journal says how the journal of a cluster is kept.
type Journal struct {
	Days    int  `json:"days"`           // how far back
	Seconds int  `json:"seconds"`        // after which time a piece of the stream is stored
	Lone    bool `json:"lone,omitempty"` // a primary may be read where no replica is in step with it

	Synthetic bool `json:"synthetic,omitempty"` // the daily snapshot is made from it
}

// Drills says when the schedule holds restore drills of a cluster.
type Drills struct {
	Every  string `json:"every"`         // "weekly", "monthly"
	Window string `json:"window"`        // "03:00-04:00", UTC
	Day    string `json:"day,omitempty"` // "monday", "15"; "": none in particular
}

// Attached says how an attached cluster is reached, without secrets.
type Attached struct {
	Addresses        []string `json:"addresses"`
	Mapped           []string `json:"mapped,omitempty"`
	Username         string   `json:"username,omitempty"`
	PSYNC            string   `json:"psync,omitempty"`
	ByKey            bool     `json:"by_key,omitempty"`       // snapshots are read key by key
	PrimaryName      string   `json:"primary_name,omitempty"` // that Sentinels know
	SentinelUsername string   `json:"sentinel_username,omitempty"`
	TLS              bool     `json:"tls,omitempty"`
	CA               string   `json:"ca,omitempty"`          // PEM
	Certificate      string   `json:"certificate,omitempty"` // PEM, the client's
	ServerName       string   `json:"server_name,omitempty"`
	Unverified       bool     `json:"unverified,omitempty"`
	Tuned            bool     `json:"tuned,omitempty"` // two settings of its nodes may be changed while a snapshot begins
}

// ConsoleRecord has the console's settings by name, and its notification channels. Settings that nobody has chosen are not in it.
type ConsoleRecord struct {
	FormatVersion int               `json:"format_version"`
	WrittenAt     time.Time         `json:"written_at"`
	Settings      map[string]string `json:"settings"`
	Channels      []Channel         `json:"channels,omitempty"`
}

// Channel is a way to tell people what happens, without its secrets: no password, token or key, and no address that is a secret itself.
type Channel struct {
	Name        string   `json:"name"`
	Kind        string   `json:"kind"`             // "mail", "slack", "teams", "discord", "telegram", "webhook"
	Server      string   `json:"server,omitempty"` // Telegram: a Bot API server of one's own
	Host        string   `json:"host,omitempty"`   // of the mail server
	Port        int      `json:"port,omitempty"`
	Security    string   `json:"security,omitempty"` // "starttls", "tls", "none"
	Username    string   `json:"username,omitempty"`
	Sender      string   `json:"sender,omitempty"`
	Recipients  []string `json:"recipients,omitempty"` // mail addresses, or Telegram's chat
	Conditions  []string `json:"conditions"`           // that it tells of
	Clusters    []string `json:"clusters,omitempty"`   // names or patterns; none: all
	RepeatHours int      `json:"repeat_hours"`
	Ends        bool     `json:"ends"`
	Paused      bool     `json:"paused"`
}

// ClusterRecordKey is the key of a cluster's record.
func ClusterRecordKey(cluster string) string { return cluster + "/" + clusterRecord }

// ConsoleRecordKey is the key of the console's record.
const ConsoleRecordKey = consoleRecord

// Sum is the same for two records that say the same, whenever they were written.
func (r ClusterRecord) Sum() string {
	r.WrittenAt, r.FormatVersion, r.CreatedAt = time.Time{}, recordVersion, r.CreatedAt.UTC()
	return sumOf(r)
}

// Sum is the same for two records that say the same, whenever they were written.
func (r ConsoleRecord) Sum() string {
	r.WrittenAt, r.FormatVersion = time.Time{}, recordVersion
	if len(r.Settings) == 0 {
		r.Settings = nil
	}
	return sumOf(r)
}

func sumOf(record any) string {
	text, _ := json.Marshal(record) // a record that cannot be encoded is refused when it is written
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// WriteCluster writes a cluster's record, replacing the one that is there.
func (a *Archive) WriteCluster(ctx context.Context, r ClusterRecord) error {
	r.FormatVersion, r.WrittenAt, r.CreatedAt = recordVersion, r.WrittenAt.UTC(), r.CreatedAt.UTC()
	if err := r.check(); err != nil {
		return err
	}
	return a.writeRecord(ctx, ClusterRecordKey(r.Cluster), r)
}

// WriteConsole writes the console's record, replacing the one that is there.
func (a *Archive) WriteConsole(ctx context.Context, r ConsoleRecord) error {
	r.FormatVersion, r.WrittenAt = recordVersion, r.WrittenAt.UTC()
	return a.writeRecord(ctx, consoleRecord, r)
}

func (a *Archive) writeRecord(ctx context.Context, key string, record any) error {
	text, err := json.MarshalIndent(record, "", "  ")
	if err == nil {
		_, err = a.store.Put(ctx, key, bytes.NewReader(append(text, '\n')))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	return nil
}

// Cluster reads a cluster's record. Errors: ErrMissing (there is none), ErrNewer, ErrInvalid, the store's.
func (a *Archive) Cluster(ctx context.Context, name string) (ClusterRecord, error) {
	var r ClusterRecord
	if err := a.readRecord(ctx, ClusterRecordKey(name), &r); err != nil {
		return ClusterRecord{}, err
	}
	if r.Cluster != name {
		return ClusterRecord{}, fmt.Errorf("read %s: %w: it is of %.50q", ClusterRecordKey(name), ErrInvalid, r.Cluster)
	}
	if err := r.check(); err != nil {
		return ClusterRecord{}, fmt.Errorf("read %s: %w", ClusterRecordKey(name), err)
	}
	return r, nil
}

// Console reads the console's record. Errors as for Cluster.
func (a *Archive) Console(ctx context.Context) (ConsoleRecord, error) {
	var r ConsoleRecord
	err := a.readRecord(ctx, consoleRecord, &r)
	return r, err
}

func (a *Archive) readRecord(ctx context.Context, key string, into any) error {
	text, err := a.read(ctx, key)
	if err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	var version struct {
		FormatVersion int `json:"format_version"`
	}
	if err := unmarshal(text, &version); err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	switch {
	case version.FormatVersion > recordVersion:
		return fmt.Errorf("read %s: %w: it has format version %d", key, ErrNewer, version.FormatVersion)
	case version.FormatVersion < 1:
		return fmt.Errorf("read %s: %w: it has no format version", key, ErrInvalid)
	}
	if err := unmarshal(text, into); err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	return nil
}

func (r ClusterRecord) check() error {
	if err := (Ref{Cluster: r.Cluster, Snapshot: "a"}).Check(); err != nil {
		return err
	}
	if !instant(r.CreatedAt) {
		return fmt.Errorf("%w: created at %v", ErrInvalid, r.CreatedAt)
	}
	return r.Configuration.check()
}

// RemoveCluster removes a cluster's record. It is fine if there is none.
func (a *Archive) RemoveCluster(ctx context.Context, name string) error {
	if err := (Ref{Cluster: name, Snapshot: "a"}).Check(); err != nil {
		return err
	}
	return a.store.Delete(ctx, ClusterRecordKey(name))
}

// Clusters names the clusters that have a record.
func (a *Archive) Clusters(ctx context.Context) ([]string, error) {
	var names []string
	for object, err := range a.outsideOfJournals(ctx) {
		if err != nil {
			return nil, fmt.Errorf("list clusters: %w", err)
		}
		name, found := strings.CutSuffix(object.Key, "/"+clusterRecord)
		if found && (Ref{Cluster: name, Snapshot: "a"}).Check() == nil {
			names = append(names, name)
		}
	}
	return names, nil
}
