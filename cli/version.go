package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func (p *Program) versionCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			version, revision := buildVersion()
			if out == "json" {
				return json.NewEncoder(p.Stdout).Encode(struct {
					Version   string `json:"version"`
					Revision  string `json:"revision"`
					GoVersion string `json:"goversion"`
					Platform  string `json:"platform"`
				}{version, revision, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH})
			}
			_, err := fmt.Fprintf(p.Stdout, "shiplog %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
	choiceFlag(cmd.Flags(), &out, "output", "o", "output format", "short", "json")
	return cmd
}

// What a release is built with: go build -ldflags "-X shiplog/cli.version=1.2.0 -X shiplog/cli.revision=...". They are
// variables because the linker can set nothing else; nothing assigns to them.
var version, revision string

// buildVersion is what the linker was told, else what the Go tool recorded: the module's version (devel from a
// checkout) and the commit, with + when files were changed; "unknown" where it recorded none.
func buildVersion() (string, string) {
	if version != "" {
		return version, cmp.Or(revision, "unknown")
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel", "unknown"
	}
	return recordedVersion(info)
}

func recordedVersion(info *debug.BuildInfo) (version, revision string) {
	version, revision = "devel", "unknown"
	if v := info.Main.Version; v != "" && v != "(devel)" {
		version = v
	}
	dirty := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+"
		}
	}
	return version, revision + dirty
}
