package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"shiplog/agent"
	"shiplog/format"
	"shiplog/format/prune"
	"shiplog/format/seal"
	"shiplog/index"
)

func (p *Program) pruneCommand() *cobra.Command {
	var dir string
	var keep keepFlags
	var ask pruneRequest
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Remove the oldest segments",
		Long: `Remove whole sealed segments, the oldest first, until what is left is what the flags, or the same keys
of the configuration, say. A running shiplog does it; without one the files are removed here. What was
removed is in the log (retention.start and retention.done), and signed. Never removed are the active segment
and the newest sealed one. A running shiplog does the same by itself, when the flags are those of run or agent.

Records are not old when only the clock says so: time that the log has not seen pass, as after years without
power, does not count, and nothing is removed for its age while the clock looks wrong. --trust-clock says that
you have looked at it.`,
		Example: `  shiplog prune --keep-age 400d --dry-run
  shiplog prune --keep-bytes 20GiB`,
		Args:        cobra.NoArgs,
		Annotations: map[string]string{wholeFile: once},
		RunE: func(cmd *cobra.Command, _ []string) error {
			ask.Age, ask.Bytes, ask.Free, ask.Least = keep.age, keep.bytes, keep.free, keep.least
			r, err := p.prune(cmd.Context(), dir, ask)
			if err == nil || len(r.Segments) > 0 {
				err = errors.Join(err, p.tellPruned(r, ask.DryRun))
			}
			return err
		},
	}
	p.dataFlag(cmd, &dir)
	keep.add(cmd.Flags())
	cmd.Flags().BoolVar(&ask.TrustClock, "trust-clock", false, "age is what the clock says, whatever the log has seen")
	cmd.Flags().BoolVar(&ask.DryRun, "dry-run", false, "only tell what would be removed")
	cmd.Flags().SortFlags = false
	return cmd
}

// prune has segments removed by the agent that runs on dir, or removes them itself when none does.
func (p *Program) prune(ctx context.Context, dir string, ask pruneRequest) (r prune.Result, err error) {
	err = agent.Remote{Path: filepath.Join(dir, agent.SocketName)}.Prune(ctx, ask, &r)
	if !errors.Is(err, agent.ErrNoAgent) {
		return r, err
	}
	policy, err := ask.policy(prune.Policy{})
	if err == nil && !policy.Keeps() {
		return r, usagef("%v", errNoRule)
	}
	if err != nil {
		return r, err
	}
	if _, err := os.Stat(filepath.Join(dir, "log")); err != nil {
		return r, fmt.Errorf("there is no log in %s: %w", dir, err)
	}
	return p.pruneHere(ctx, dir, policy, ask.DryRun)
}

// pruneHere removes segments of a directory that no other process writes.
func (p *Program) pruneHere(ctx context.Context, dir string, policy prune.Policy, dry bool) (r prune.Result, err error) {
	w, err := format.Open(dir, format.Options{Host: hostname()})
	if err != nil {
		return r, locked(err)
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	o := prune.Options{Policy: policy, Logger: p.warnings()}
	if dry {
		pruner, err := prune.Open(dir, w, o)
		if err != nil {
			return r, err
		}
		return pruner.Plan(policy)
	}
	k, err := seal.Open(dir, w, seal.Options{Host: hostname(), Logger: p.warnings()})
	if err != nil {
		return r, err
	}
	o.Retire, o.Retired = k.Retire, k.Retired
	pruner, err := prune.Open(dir, w, o)
	if err != nil {
		return r, err
	}
	if err := pruner.Resume(ctx); err != nil {
		return r, err
	}
	r, err = pruner.Prune(ctx, policy, userName(os.Getuid()))
	if len(r.Segments) > 0 {
		err = errors.Join(err, index.Forget(dir, filepath.Join(dir, "index")))
	}
	return r, errors.Join(err, k.CatchUp(ctx))
}

// tellPruned says for a person what was removed.
func (p *Program) tellPruned(r prune.Result, dry bool) error {
	if r.Doubt != "" {
		fmt.Fprintf(p.Stderr, "shiplog: nothing is removed for its age: %s\n", r.Doubt)
	}
	if len(r.Segments) == 0 {
		_, err := fmt.Fprintln(p.Stdout, "nothing to remove")
		return err
	}
	did := "removed"
	if dry {
		did = "would remove"
	}
	_, err := fmt.Fprintf(p.Stdout, "%s %d segments with records %d to %d, %d bytes (%s); %d segments are left\n",
		did, len(r.Segments), r.First, r.Last, r.Bytes, strings.Join(r.Rules, ", "), r.Kept)
	return err
}
