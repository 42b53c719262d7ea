//go:build unix

package runner

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/anteroom-id/anteroom/plugins/sandbox"
)

// Confinement says how the program is confined before it runs.
type Confinement struct {
	// Launcher is a binary whose main function calls [sandbox.Main]; it is this
	// program's own as a rule.
	Launcher string
	// Policy lacks what only the runner knows: the program's own folders.
	Policy sandbox.Policy
	// UID is the user and the group of its own that the program runs as, 0 for the
	// host's. Its private folder becomes that user's.
	UID int
}

// makeFolders makes the program's home and its folder for temporary files, and
// gives everything to its user.
func (r *Runner) makeFolders() error {
	dirs := []string{homeIn(r.dir), tempIn(r.dir)}
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if r.cfg.Confine == nil || r.cfg.Confine.UID == 0 {
		return nil
	}
	for _, dir := range append(dirs, r.dir) {
		if err := os.Chown(dir, r.cfg.Confine.UID, r.cfg.Confine.UID); err != nil {
			return err
		}
	}
	return nil
}

// launchConfined starts the launcher and waits until the program has taken its
// place. Killing the process ends the wait.
func (r *Runner) launchConfined(p *pipes) error {
	status, report, err := os.Pipe()
	if err != nil {
		return err
	}
	defer status.Close()
	cmd, err := r.confinedCommand(p, report)
	if err != nil {
		_ = report.Close()
		return err
	}
	started := make(chan error)
	go r.supervise(cmd, p, started)
	err = <-started
	_ = report.Close() // the launcher has its own
	if err != nil {
		return err
	}
	level, err := sandbox.ReadStatus(status)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.level = level
	return nil
}

func (r *Runner) confinedCommand(p *pipes, report *os.File) (*exec.Cmd, error) {
	path, program, err := r.cfg.Image.passOn(sandbox.ProgramFD)
	if err != nil {
		return nil, err
	}
	c := r.cfg.Confine
	args, err := sandbox.Command(r.policy(path), c.UID, path, []string{r.cfg.Name})
	if err != nil {
		return nil, err
	}
	cmd := r.command(c.Launcher, args, p)
	cmd.ExtraFiles = []*os.File{report}
	if program != nil {
		cmd.ExtraFiles = append(cmd.ExtraFiles, program)
	}
	if c.UID != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(c.UID), Gid: uint32(c.UID)}
	}
	return cmd, nil
}

// policy adds the program's own folders, and for what is executed by its name the
// file, its neighbours and what runs it.
func (r *Runner) policy(path string) sandbox.Policy {
	p := r.cfg.Confine.Policy
	p.Write = append(slices.Clone(p.Write), r.dir)
	if r.cfg.Image.script {
		p.Execute = slices.Concat(p.Execute, sandbox.Interpreters(), []string{filepath.Dir(path)})
	} else if r.cfg.Image.file == nil {
		p.Execute = append(slices.Clone(p.Execute), path)
	}
	return p
}

// Level returns how far the running program is confined.
func (r *Runner) Level() sandbox.Level {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.level
}

// Allow lets other users pass through the folder, without seeing what is in it,
// to those of its folders that are theirs.
func (d *Dir) Allow() error {
	for _, path := range []string{filepath.Dir(d.path), d.path} {
		if err := os.Chmod(path, 0o711); err != nil {
			return fmt.Errorf("open runtime folder to connectors' users: %w", err)
		}
	}
	return nil
}
