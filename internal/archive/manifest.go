package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"rekindle/internal/digest"
	"rekindle/internal/rdb"
)

// FormatVersion is the version of the format that is written. Readers refuse a higher one, and read every lower one. Fields may be added without a
// new version: readers skip those they do not know.
//
// Version 1 has no attempts, no hash of the manifest, and a SHA-256 of the plain RDB where version 2 has XXH3-128.
const FormatVersion = 2

// Sources of a snapshot.
const (
	Automatic = "automatic"
	Manual    = "manual"
)

// Bounds of a manifest: more is damage, or an attack.
const (
	maxManifest = 4 << 20 // bytes of JSON
	maxParts    = 1000
	maxText     = 1024 // bytes of a text field
	maxObject   = 64 << 10
)

// Manifest says what a snapshot is; its JSON is described in docs/snapshot-format.md. All times are UTC.
type Manifest struct {
	FormatVersion int           `json:"format_version"`
	Snapshot      string        `json:"snapshot"`
	Cluster       string        `json:"cluster"`
	Attempt       string        `json:"attempt,omitempty"` // by which it was stored: Attempt.ID
	Source        string        `json:"source"`            // Automatic or Manual
	Origin        string        `json:"origin,omitempty"`  // a sentence: from where it was copied, imported or recovered
	Moment        *Moment       `json:"moment,omitempty"`  // nil: it was taken of a cluster, or imported
	Logical       bool          `json:"logical,omitempty"` // it was read key by key, so it is not of one point in time
	Engine        string        `json:"engine"`            // of the nodes that served it: "redis" or "valkey"
	EngineVersion string        `json:"engine_version"`    // "7.0.15"
	RDBVersion    int           `json:"rdb_version"`       // the highest of the parts'
	CreatedAt     time.Time     `json:"created_at"`        // when the snapshot was begun
	CompletedAt   time.Time     `json:"completed_at"`
	Configuration Configuration `json:"configuration"`
	Parts         []Part        `json:"parts"` // by number: 1, 2, 3...

	// Hash is the SHA-256 that identifies a manifest that was read: the one in its last line; for version 1, that of the whole file. Writing a
	// manifest ignores it.
	Hash string `json:"-"`
}

// Configuration is the cluster as it was when the snapshot was taken, without secrets. The restore form is pre-filled from it, and a lost catalog is
// rebuilt from it.
type Configuration struct {
	Description    string `json:"description,omitempty"`
	NodeType       string `json:"node_type,omitempty"` // "cache.t4g.micro"
	Engine         string `json:"engine,omitempty"`    // the one asked for; Manifest.Engine is the one found
	Version        string `json:"version,omitempty"`
	Port           int    `json:"port,omitempty"`         // 0: automatic
	ClusterMode    bool   `json:"cluster_mode,omitempty"` // absent: not known; the parts of such a cluster have slots
	Shards         int    `json:"shards"`
	Replicas       int    `json:"replicas"`        // per shard
	RetentionLimit int    `json:"retention_limit"` // days; 0: no automatic snapshots
	SnapshotWindow string `json:"snapshot_window,omitempty"`
	WindowChosen   *bool  `json:"window_chosen,omitempty"` // false: Rekindle picked the window; absent: not known
	MaxMemory      int64  `json:"max_memory"`              // bytes per node, 0: no limit
	UsedMemory     int64  `json:"used_memory"`             // bytes, all shards together
	AuthEnabled    bool   `json:"auth_enabled"`

	Grouped           *bool           `json:"replication_group,omitempty"` // false: a cache cluster; absent: not known
	ParameterGroup    string          `json:"parameter_group,omitempty"`
	Attributes        json.RawMessage `json:"attributes,omitempty"`         // an object: what ElastiCache keeps of a cluster and Rekindle only gives back
	TransitEncryption bool            `json:"transit_encryption,omitempty"` // its nodes spoke TLS; absent also where that was not known
	NodeCreatedAt     *time.Time      `json:"node_created_at,omitempty"`    // the node that stands for the cluster; absent: not known
}

// Part is one shard's RDB within a snapshot. Hashes are lower-case hexadecimal.
type Part struct {
	Number       int    `json:"number"` // from 1
	Object       string `json:"object"` // Attempt.Part(Number)
	Slots        string `json:"slots"`  // "0-8191,16000"; "" outside of cluster mode
	RDBVersion   int    `json:"rdb_version"`
	Bytes        int64  `json:"bytes"`               // of the plain RDB
	StoredBytes  int64  `json:"stored_bytes"`        // of the object
	Keys         int64  `json:"keys"`                // in all databases; -1: unknown
	Expires      int64  `json:"expires"`             // how many of the keys have an expiry; -1: unknown
	Databases    int    `json:"databases,omitempty"` // how many a node needs to load it: the highest number + 1; 0: unknown
	Kinds        string `json:"kinds,omitempty"`     // how what is in it is stored: rdb.Kinds; "": unknown
	Lifetimes    string `json:"lifetimes,omitempty"` // how long its keys with an expiry had left: rdb.Lifetimes; "": unknown
	XXH128       string `json:"xxh128,omitempty"`    // XXH3-128 of the plain RDB
	SHA256       string `json:"sha256,omitempty"`    // of the plain RDB instead, if it was taken in format version 1
	StoredSHA256 string `json:"stored_sha256"`
	CRC64        string `json:"crc64"` // the one at the RDB's end; zeros: the server computed none

	SourceNode        string    `json:"source_node,omitempty"` // who served it
	SourceRole        string    `json:"source_role,omitempty"` // "primary" or "replica"
	ReplicationID     string    `json:"replication_id,omitempty"`
	ReplicationOffset int64     `json:"replication_offset"`
	UsedMemory        int64     `json:"used_memory"` // bytes in the node that served it; 0: unknown
	StartedAt         time.Time `json:"started_at"`
	CompletedAt       time.Time `json:"completed_at"`
}

// Digest is the hash of the plain RDB, of whichever kind there is.
func (p Part) Digest() digest.Digest {
	if p.XXH128 != "" {
		return digest.Of(digest.XXH128, p.XXH128)
	}
	return digest.Of(digest.SHA256, p.SHA256)
}

// WithDigest returns the part with this hash of its plain RDB.
func (p Part) WithDigest(d digest.Digest) Part {
	p.XXH128, p.SHA256 = d.Hex(digest.XXH128), d.Hex(digest.SHA256)
	return p
}

// In is the manifest of a copy that another attempt stores.
func (m Manifest) In(at Attempt) Manifest {
	m.Cluster, m.Snapshot, m.Attempt, m.Parts = at.Cluster, at.Snapshot, at.ID, slices.Clone(m.Parts)
	for i := range m.Parts {
		m.Parts[i].Object = at.Part(m.Parts[i].Number)
	}
	return m
}

// WithoutNames is the manifest without the names of keys.
func (m Manifest) WithoutNames() Manifest {
	m.Parts = slices.Clone(m.Parts)
	for i, part := range m.Parts {
		m.Parts[i].Kinds = string(rdb.Kinds(part.Kinds).WithoutNames())
	}
	return m
}

// At is the attempt that stored the snapshot.
func (m Manifest) At() Attempt { return Attempt{Ref: m.Ref(), ID: m.Attempt} }

// Ref names the snapshot that the manifest is of.
func (m Manifest) Ref() Ref { return Ref{Cluster: m.Cluster, Snapshot: m.Snapshot} }

// Bytes is the length of all parts' plain RDBs.
func (m Manifest) Bytes() int64 { return m.sum(func(p Part) int64 { return p.Bytes }) }

// StoredBytes is the length of all parts as they are stored.
func (m Manifest) StoredBytes() int64 { return m.sum(func(p Part) int64 { return p.StoredBytes }) }

// Keys is the number of keys in all parts, -1 when one of them is unknown.
func (m Manifest) Keys() int64 {
	for _, p := range m.Parts {
		if p.Keys < 0 {
			return -1
		}
	}
	return m.sum(func(p Part) int64 { return p.Keys })
}

func (m Manifest) sum(figure func(Part) int64) (sum int64) {
	for _, p := range m.Parts {
		sum += figure(p)
	}
	return sum
}

// ParseManifest reads a manifest and checks it. Errors: ErrNewer, ErrInvalid with what is wrong.
func ParseManifest(data []byte) (Manifest, error) {
	if len(data) > maxManifest {
		return Manifest{}, fmt.Errorf("%w: the manifest has %d bytes, %d are allowed", ErrInvalid, len(data), maxManifest)
	}
	// The version comes first and alone: nothing else of a newer format can be expected to fit.
	var version struct {
		FormatVersion int `json:"format_version"`
	}
	if err := unmarshal(data, &version); err != nil {
		return Manifest{}, err
	}
	if version.FormatVersion > FormatVersion {
		return Manifest{}, fmt.Errorf("%w: the manifest has format version %d, this one knows %d", ErrNewer, version.FormatVersion, FormatVersion)
	}
	hash := ""
	if version.FormatVersion > 1 {
		var err error
		if hash, err = sealedHash(data, manifestHash); err != nil {
			return Manifest{}, err
		}
	} else {
		whole := sha256.Sum256(data)
		hash = hex.EncodeToString(whole[:])
	}
	m := Manifest{Hash: hash}
	if err := unmarshal(data, &m); err != nil {
		return Manifest{}, err
	}
	if err := m.Check(); err != nil {
		return Manifest{}, err
	}
	return m, nil
}

func unmarshal(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("%w: the manifest: %w", ErrInvalid, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: the manifest continues after its end", ErrInvalid)
	}
	return nil
}

// The last two lines of a manifest have the SHA-256 of all lines before them, so that any flipped bit is noticed, and so that a shell can check it:
// head -n -2 manifest.json
// sha256sum
const (
	manifestHash = "manifest_sha256"
	sealEnd      = "\"\n}\n"
)

func sealStart(field string) string { return `  "` + field + `": "` }

// sealed is a value as readable JSON that ends with its own hash, in a field of this name.
func sealed(value any, field string) ([]byte, error) {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	data = append(bytes.TrimSuffix(data, []byte("\n}")), ",\n"...)
	sum := sha256.Sum256(data)
	return append(data, sealStart(field)+hex.EncodeToString(sum[:])+sealEnd...), nil
}

// sealedHash returns the hash that such JSON has of itself, if it is right.
func sealedHash(data []byte, field string) (string, error) {
	start := sealStart(field)
	at := len(data) - len(start) - hex.EncodedLen(sha256.Size) - len(sealEnd)
	if at < 0 || !bytes.HasPrefix(data[at:], []byte(start)) || !bytes.HasSuffix(data, []byte(sealEnd)) {
		return "", fmt.Errorf("%w: it does not end with its own hash", ErrInvalid)
	}
	said := string(data[at+len(start) : len(data)-len(sealEnd)])
	sum := sha256.Sum256(data[:at])
	if got := hex.EncodeToString(sum[:]); got != said {
		return "", fmt.Errorf("%w: its hash is %s instead of %.64q: it was changed", ErrInvalid, got, said)
	}
	return said, nil
}

// Encode is the manifest as it is stored: readable JSON, with UTC times and its own hash, in the current format version.
func (m Manifest) Encode() ([]byte, error) {
	m.FormatVersion = FormatVersion
	m.CreatedAt, m.CompletedAt, m.Moment = m.CreatedAt.UTC(), m.CompletedAt.UTC(), m.Moment.utc()
	parts := make([]Part, len(m.Parts))
	for i, p := range m.Parts {
		p.StartedAt, p.CompletedAt = p.StartedAt.UTC(), p.CompletedAt.UTC()
		parts[i] = p
	}
	m.Parts = parts
	return sealed(m, manifestHash)
}

// Check says whether the manifest follows the format's rules; the error wraps ErrInvalid and says what is wrong.
func (m Manifest) Check() error {
	if err := m.At().Check(); err != nil {
		return err
	}
	switch {
	case m.FormatVersion < 1 || m.FormatVersion > FormatVersion:
		return fmt.Errorf("%w: format version %d", ErrInvalid, m.FormatVersion)
	case (m.FormatVersion == 1) != (m.Attempt == ""):
		return fmt.Errorf("%w: format version %d with the attempt %.40q", ErrInvalid, m.FormatVersion, m.Attempt)
	case m.Source != Automatic && m.Source != Manual:
		return fmt.Errorf("%w: source %.40q is neither automatic nor manual", ErrInvalid, m.Source)
	case m.Engine == "" || m.EngineVersion == "":
		return fmt.Errorf("%w: no engine or no engine version", ErrInvalid)
	case !instant(m.CreatedAt) || !instant(m.CompletedAt):
		return fmt.Errorf("%w: created at %v, completed at %v", ErrInvalid, m.CreatedAt, m.CompletedAt)
	case len(m.Parts) == 0 || len(m.Parts) > maxParts:
		return fmt.Errorf("%w: %d parts, there must be 1 to %d", ErrInvalid, len(m.Parts), maxParts)
	}
	if err := texts(m.Engine, m.EngineVersion, m.Origin); err != nil {
		return err
	}
	if err := m.Configuration.check(); err != nil {
		return err
	}
	if err := m.Moment.check(m.Parts); err != nil {
		return err
	}
	highest := 0
	for i, p := range m.Parts {
		if p.Number != i+1 {
			return fmt.Errorf("%w: part %d is at place %d", ErrInvalid, p.Number, i+1)
		}
		if err := p.check(m.At()); err != nil {
			return err
		}
		highest = max(highest, p.RDBVersion)
	}
	if m.RDBVersion != highest {
		return fmt.Errorf("%w: RDB version %d, the highest of the parts is %d", ErrInvalid, m.RDBVersion, highest)
	}
	return nil
}

func (c Configuration) check() error {
	if c.Port < 0 || c.Port > 65535 || c.Shards < 0 || c.Replicas < 0 || c.RetentionLimit < 0 || c.MaxMemory < 0 || c.UsedMemory < 0 {
		return fmt.Errorf("%w: a number in the configuration is out of its range", ErrInvalid)
	}
	if text := bytes.TrimSpace(c.Attributes); len(text) > 0 && (len(text) > maxObject || text[0] != '{' || !json.Valid(text)) {
		return fmt.Errorf("%w: the attributes in the configuration are no object, or too long", ErrInvalid)
	}
	return texts(c.Description, c.NodeType, c.Engine, c.Version, c.SnapshotWindow, c.ParameterGroup)
}

func (p Part) check(at Attempt) error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("%w: part %d: %w", ErrInvalid, p.Number, fmt.Errorf(format, args...))
	}
	switch {
	case p.Number < 1 || p.Number > maxParts:
		return wrong("its number is not 1 to %d", maxParts)
	case p.Object != at.Part(p.Number):
		return wrong("its object is called %.40q", p.Object)
	case p.RDBVersion < 1 || p.RDBVersion > 999:
		return wrong("RDB version %d", p.RDBVersion)
	case p.Bytes < 1 || p.StoredBytes < 1 || p.Bytes > 1<<50 || p.StoredBytes > 1<<50:
		return wrong("%d bytes, %d stored", p.Bytes, p.StoredBytes)
	case p.Keys < -1 || p.Expires < -1 || p.Keys > p.Bytes || p.Expires > p.Bytes || p.Databases < 0 || p.Databases > 1<<31 || p.UsedMemory < 0 || p.ReplicationOffset < -1:
		return wrong("keys %d, expires %d, databases %d, used memory %d, replication offset %d", p.Keys, p.Expires, p.Databases, p.UsedMemory, p.ReplicationOffset)
	case (p.XXH128 == "") == (p.SHA256 == "") || at.ID == "" && p.SHA256 == "":
		return wrong("not exactly one hash of its plain RDB")
	case p.Digest().Check() != nil || !isHex(p.StoredSHA256, 64) || !isHex(p.CRC64, 16):
		return wrong("a hash that is not one")
	case !instant(p.StartedAt) || !instant(p.CompletedAt):
		return wrong("started at %v, completed at %v", p.StartedAt, p.CompletedAt)
	}
	if !rdb.Kinds(p.Kinds).Valid() || !rdb.Lifetimes(p.Lifetimes).Valid() {
		return wrong("kinds %.40q, lifetimes %.40q", p.Kinds, p.Lifetimes)
	}
	if err := checkSlots(p.Slots); err != nil {
		return err
	}
	return texts(p.SourceNode, p.SourceRole, p.ReplicationID)
}

// checkSlots accepts "" and ascending ranges of hash slots: "0-8191,16000".
func checkSlots(slots string) error {
	if slots == "" {
		return nil
	}
	next := 0
	for text := range strings.SplitSeq(slots, ",") {
		low, high, isRange := strings.Cut(text, "-")
		first, ok := slot(low)
		last := first
		if ok && isRange {
			last, ok = slot(high)
		}
		if !ok || first < next || last < first {
			return fmt.Errorf("%w: hash slots %.60q", ErrInvalid, slots)
		}
		next = last + 1
	}
	return nil
}

// slot reads one hash slot, 0 to 16383, without signs or leading zeros.
func slot(text string) (int, bool) {
	n := 0
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return 0, false
		}
		if n = n*10 + int(c-'0'); n > 16383 {
			return 0, false
		}
	}
	return n, text != "" && (text == "0" || text[0] != '0')
}

func isHex(text string, length int) bool {
	_, err := hex.DecodeString(text)
	return err == nil && len(text) == length && text == strings.ToLower(text)
}

// instant says whether a time can be that of a snapshot, which also keeps it within what JSON can represent.
func instant(t time.Time) bool { return t.UTC().Year() >= 2009 && t.UTC().Year() <= 9998 }

// texts refuses fields that are too long or could play tricks on a terminal or a page.
func texts(fields ...string) error {
	for _, field := range fields {
		if len(field) > maxText || strings.ContainsFunc(field, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' }) {
			return fmt.Errorf("%w: the text %.60q is too long or contains control characters", ErrInvalid, field)
		}
	}
	return nil
}
