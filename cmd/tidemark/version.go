package main

import "runtime/debug"

// version is set by the linker in releases.
var version = ""

type versionCommand struct{}

// Run prints the version, the Go version and the commit.
func (versionCommand) Run(p *printer) error {
	v := versionInfo()
	if p.json {
		return p.object(v)
	}
	p.say("tidemark %s (%s)", v["version"], v["go"])
	return nil
}

func versionInfo() map[string]string {
	out := map[string]string{"version": version}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return out
	}
	out["go"] = info.GoVersion
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			out["commit"] = s.Value
		}
	}
	if version == "" {
		out["version"] = info.Main.Version
	}
	return out
}
