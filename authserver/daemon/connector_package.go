package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/anteroom-id/anteroom/plugins"
	"github.com/anteroom-id/anteroom/plugins/catalog"
)

// noPins approves nothing.
type noPins struct{}

func (noPins) Pin(context.Context, string) (plugins.Pin, error) {
	return plugins.Pin{}, plugins.ErrNotPinned
}

// Package is what goes into a connector's package beside what its program says.
type Package struct {
	Program string // path of anteroom-connector-NAME
	Licence string
	Egress  []catalog.Egress
	Files   []string // paths beside the program
}

// Write EXECUTES the program, asks it what it is and writes its package. It needs
// no database.
func (p Package) Write(ctx context.Context, w io.Writer, log *slog.Logger) (m catalog.Manifest, err error) {
	dir, file := filepath.Split(p.Program)
	name, ok := strings.CutPrefix(file, catalog.Prefix)
	if !ok || !catalog.ValidName(name) {
		return m, fmt.Errorf("the program must be called %sNAME, not %q", catalog.Prefix, file)
	}
	host, err := plugins.New(plugins.Options{Dir: dirOrHere(dir), Pins: noPins{}, Environ: os.Environ(), Logger: log, Now: time.Now})
	if err != nil {
		return m, err
	}
	if err := host.Start(ctx); err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, host.Stop(context.WithoutCancel(ctx))) }()
	d, _, err := host.Inspect(ctx, name, true)
	if err != nil {
		return m, err
	}
	if d.Name != name {
		return m, fmt.Errorf("the program %s says that it is connector %q", file, d.Name)
	}
	return catalog.Pack(w, dirOrHere(dir), d, p.Licence, p.Egress, p.Files)
}

func dirOrHere(dir string) string {
	if dir == "" {
		return "."
	}
	return dir
}
