//go:build linux && !amd64 && !arm64

package sandbox

import "errors"

func loadFilter() error { return errors.New("there is no filter for this processor") }

func filterAvailable() bool { return false }
