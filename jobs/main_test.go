package jobs_test

import (
	"os"
	"testing"

	"rekindle/internal/testkit"
)

func TestMain(m *testing.M) {
	testkit.AtOnce(2)
	os.Exit(m.Run())
}
