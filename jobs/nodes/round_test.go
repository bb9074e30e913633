package nodes

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"

	"rekindle/internal/launch"
	"rekindle/models"
)

// trying is a step that notes that it was carried out, and comes to this.
type trying struct {
	on
	err error
}

var tried []string // of the one test that has such steps

func (s trying) carryOut(context.Context, *round) error {
	tried = append(tried, s.about())
	return s.err
}

func TestStepThatFailsKeepsOnlyItsNodeWaiting(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	r := &round{look: look{nodes: []seen{member(1, nil), member(2, nil), member(3, nil)}}}
	err := r.carryOut(t.Context(), []step{trying{"orders-001", broken}, trying{"orders-001", nil}, trying{"orders-002", errUndone}, trying{"orders-002", nil},
		trying{"orders-003", nil}, trying{"orders-003", nil}})
	if want := []string{"orders-001", "orders-002", "orders-003", "orders-003"}; !slices.Equal(tried, want) {
		t.Errorf("tried was %v, want %v", tried, want)
	}
	if !errors.Is(err, broken) || errors.Is(err, errUndone) || !r.look.failed {
		t.Errorf("it ends with %v, failed %t", err, r.look.failed)
	}
	for i, want := range []bool{true, false, false} {
		if got := r.look.nodes[i].handled; got != want {
			t.Errorf("%s: handled is %t, want %t", r.look.nodes[i].node.Name, got, want)
		}
	}
}

// ended is a launcher none of whose nodes runs, and which must not be told to start one.
type ended struct{ launch.Launcher }

func (ended) Running(context.Context, string, string) (bool, error) { return false, nil }

func (ended) Serves(string) bool { return true }

func (ended) Announced() string { return "" }

func (ended) Saved(context.Context, string, string) (launch.Saved, error) {
	return launch.Saved{}, nil
}

func TestRepairTakesTheLockOrIsLeftToWhoHasIt(t *testing.T) {
	t.Parallel()
	asked := ""
	s := New(Config{Operator: Operator{Launcher: ended{}}, Logger: slog.New(slog.DiscardHandler),
		Lock: func(_ context.Context, cluster string) (func(), bool, error) { asked = cluster; return nil, false, nil }})
	cluster := models.Cluster{Name: "orders", Status: models.ClusterAvailable, Nodes: []models.Node{{Name: "orders-001", Role: models.RolePrimary}}}
	if err := s.supervise(t.Context(), cluster); err != nil || asked != "orders" {
		t.Errorf("the lock of %q was asked for, and it ends with %v", asked, err)
	}
}
