package connectorv1_test

import (
	"os"
	"testing"

	"github.com/anteroom-id/anteroom/sdk/wire/connectorv1"
)

func TestSourceIsTheFile(t *testing.T) {
	want, err := os.ReadFile("connector.proto")
	if err != nil {
		t.Fatal(err)
	}
	if connectorv1.Source() != string(want) {
		t.Error("Source is not connector.proto")
	}
}
