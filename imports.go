package presence

import "context"

// ImportStore is a store that others' data can be carried into. Its Durable's Tx is an ImportTx. The behaviour
// is pinned by internal/storetest.
type ImportStore interface {
	// ImportMarks returns all marks.
	ImportMarks(ctx context.Context) (map[string]int64, error)
}

// ImportTx is what an act of an ImportStore may do besides.
type ImportTx interface {
	// SetImportMark remembers a number under a name, with whatever else the act does: how far an import has
	// come. It replaces the one that was there.
	SetImportMark(name string, value int64) error
}
