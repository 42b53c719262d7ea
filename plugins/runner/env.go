package runner

import (
	"os/exec"
	"path/filepath"
	"strings"
)

// LifelineEnv tells a child that its standard input is a life line: when it
// ends, the host is gone and the child must exit.
const LifelineEnv = "ANTEROOM_LIFELINE"

// searchPath is what a script's "#!/usr/bin/env" searches. It is fixed, because
// the host's own could name folders that others may write to.
const searchPath = "PATH=/usr/local/bin:/usr/bin:/bin"

// passedOn reports whether a variable of the host reaches its children. The list
// holds what a program needs to find its zone, its certificates and its proxy;
// anything that usually holds a secret stays out, telemetry headers included.
func passedOn(name string) bool {
	switch strings.ToUpper(name) {
	case "TZ", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY":
		return true
	}
	return false
}

// environment is everything a child sees: the allow-listed part of the host's
// variables, its private folders, and what the plugin library wants to tell it.
func environment(host []string, spec *exec.Cmd, cookie, dir string) []string {
	env := []string{
		searchPath,
		"HOME=" + homeIn(dir),
		"TMPDIR=" + tempIn(dir),
		LifelineEnv + "=1",
	}
	for _, kv := range host {
		if name, _, _ := strings.Cut(kv, "="); passedOn(name) {
			env = append(env, kv)
		}
	}
	// The library may have been told to copy the host's variables into its own
	// list: only what it adds itself goes through.
	for _, kv := range spec.Env {
		if name, _, _ := strings.Cut(kv, "="); name == cookie || strings.HasPrefix(name, "PLUGIN_") {
			env = append(env, kv)
		}
	}
	return env
}

func homeIn(dir string) string { return filepath.Join(dir, "home") }
func tempIn(dir string) string { return filepath.Join(dir, "tmp") }
