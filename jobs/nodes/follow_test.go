package nodes

import (
	"errors"
	"testing"

	"rekindle/internal/launch"
	"rekindle/jobs/reach"
	"rekindle/models"
)

func TestNoNodeIsToldToFollowADeniedAddress(t *testing.T) {
	t.Parallel()
	cluster := models.Cluster{Name: "orders", Migration: models.Migration{Source: "metadata:80", Address: "169.254.169.254:80"}}
	err := FollowSource(t.Context(), cluster, models.Node{Name: "orders-001", Host: "127.0.0.1", Port: 1})
	if _, denied := errors.AsType[reach.DeniedError](err); !denied {
		t.Errorf("got %v", err)
	}
}

func TestANodeOfAMigratingClusterBeginsAtAnAllowedSourceOnly(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]launch.Node{
		"10.0.0.5:6379":      {PrimaryHost: "10.0.0.5", PrimaryPort: 6379, PrimaryOpen: true},
		"169.254.169.254:80": {Held: true, PrimaryOpen: true},
	} {
		var got launch.Node
		err := beginAtSource(models.Cluster{Name: "orders", Migration: models.Migration{Source: "moved", Address: address}}, &got)
		if err != nil || got.PrimaryHost != want.PrimaryHost || got.PrimaryPort != want.PrimaryPort || got.Held != want.Held || got.PrimaryOpen != want.PrimaryOpen {
			t.Errorf("%s: %+v, %v", address, got, err)
		}
	}
}
