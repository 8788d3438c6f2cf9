package index

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// guard runs fn, which reads mapped files, and turns what a file that was cut or changed under our hands
// does to it into errStale: bytes past the end of a file raise a fault, other bytes lead out of a slice.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			if re, ok := p.(runtime.Error); ok {
				err = fmt.Errorf("%w: %v", errStale, re)
				return
			}
			panic(p)
		}
	}()
	return fn()
}

// shield runs fn, a function of who asked. Should it panic, guard does not take that for a bad file.
func shield(fn func()) {
	defer func() {
		if p := recover(); p != nil {
			panic(askersPanic{p})
		}
	}()
	fn()
}

// askersPanic is what a function of who asked panicked with.
type askersPanic struct{ value any }

// Error implements error.
func (p askersPanic) Error() string { return fmt.Sprintf("a query's function panicked: %v", p.value) }
