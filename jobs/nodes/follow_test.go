package nodes

import (
	"errors"
	"testing"

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
