package prune

import (
	"context"
	"sync/atomic"
	"time"
)

// Steps returns o with f called before each step; an error of f fails the step.
func (o Options) Steps(f func(step string) error) Options { o.step = f; return o }

// Disk returns o with what the disk says of itself.
func (o Options) Disk(free *atomic.Uint64, total uint64) Options {
	o.space = func(string) (uint64, uint64, error) { return free.Load(), total, nil }
	return o
}

// Once is one round of Run.
func (p *Pruner) Once(tb interface{ Context() context.Context }) (Result, error) {
	return p.once(tb.Context(), p.Policy(), "", true)
}

// Begin is what Run begins with.
func (p *Pruner) Begin(tb interface{ Context() context.Context }) error {
	return p.resume(tb.Context())
}

// MaxStep is the longest step from record to record that counts.
const MaxStep time.Duration = maxStep
