package models

import (
	"fmt"
	"net"
	"strings"
	"time"
)

// Tuning is one setting of a node of an attached cluster that was changed while a snapshot begins, and is still to be put back. It is written down
// before the change is made.
type Tuning struct {
	ID        uint `gorm:"primaryKey"`
	ClusterID uint
	RunID     uint   // the run for which it was changed
	Address   string // of the node, host:port
	Parameter string
	Was       string // what it is put back to
	Tuned     string // what it was set to; whoever has changed it since then is right
	Since     time.Time
	Told      bool // an event says that it could not be put back
}

// command is what somebody runs to put the setting back by hand.
func (t Tuning) command() string {
	host, port, err := net.SplitHostPort(t.Address)
	if err != nil {
		host, port = t.Address, defaultPort
	}
	return fmt.Sprintf("redis-cli -h %s -p %s CONFIG SET %s %s", host, port, t.Parameter, t.Was)
}

// TuningCommands are what somebody runs to put settings back by hand.
func TuningCommands(tunings []Tuning) string {
	commands := make([]string, len(tunings))
	for i, t := range tunings {
		commands[i] = t.command()
	}
	return strings.Join(commands, "; ")
}
