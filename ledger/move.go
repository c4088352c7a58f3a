package ledger

// What a [Driver] may be able to do besides: together they move a ledger from one store
// to another, part by part; see internal/move.
type (
	// Exporter is a driver whose ledger can be moved to another store.
	Exporter interface {
		// Export opens the ledger to move it. The error says what to do where another
		// process uses it.
		Export() (Export, error)
	}

	// Importer is a driver into whose store a ledger can be moved.
	Importer interface {
		// Import opens the store for that, and refuses one that a process uses.
		Import() (Import, error)
	}
)

// Export is a ledger that is being moved. Nobody else uses it until it is closed.
type Export interface {
	// About says what is being moved.
	About() Moving
	// MovedTo is the name of where the ledger was moved; empty: it is here.
	MovedTo() string
	// Read returns the parts that stand behind a place, at most limit, and the place of
	// the last of them. The place nil is in front of them all; behind the last there
	// are none.
	Read(after []byte, limit int) (parts []Part, place []byte, err error)
	// End marks the ledger, durably, as moved to what has the name. From then on it is
	// opened by Export only.
	End(to string) error
	Close() error
}

// Import is a store into which a ledger is being moved. No process can use it as a
// store from [Import.Begin] to [Import.End].
type Import interface {
	// Name names the store, without secrets.
	Name() string
	// Begun is what is being moved into it, as Begin was told; none: nothing is.
	Begun() (Moving, error)
	// Begin begins a move, or goes on with it, and returns the place that was written
	// last; nil: none. A ledger that has changed since the move began is begun anew. The
	// error says what to do where the store has another ledger, or a part of one.
	Begin(about Moving) (place []byte, err error)
	// Write writes parts, and in the same commit the place of the last of them. It
	// writes nothing where the place before is not the one that was written last.
	Write(parts []Part, before, place []byte) error
	// Read returns, of each of the parts, what the store has under its name, with
	// [ErrNotFound] in the place of one that it lacks.
	Read(parts []Part) ([]Part, error)
	// Tally counts all that the store has.
	Tally() (Tally, error)
	// Settle returns when all that was written is durable.
	Settle() error
	// End ends the move: the store can be used from then on.
	End() error
	Close() error
}

// Moving is a ledger that is being moved.
type Moving struct {
	// ID is the ledger's, and Version another one whenever the ledger has changed.
	ID, Version string
	// From names where the ledger comes from.
	From string
	// Events is about how many events it has.
	Events uint64
}

// PartKind is what a [Part] is.
type PartKind uint8

// The kinds of parts.
const (
	// EventPart is an Event, with its body.
	EventPart PartKind = iota + 1
	// OrderPart is an Order, which is found by its ID.
	OrderPart
	// GenerationPart is the ID of an order at the gateway that belongs to the order Of.
	GenerationPart
	// FlagPart is a Flag and its Holder.
	FlagPart
	// LookPart is a Look.
	LookPart
)

// Part is one of the things that a ledger is made of.
type Part struct {
	Kind  PartKind
	Event Event
	ID    OrderID
	Order Order
	Of    OrderID
	Flag  Flag
	Look  Look
	// Holder is the event that the flag is bound to; the zero value: nobody knows which.
	Holder Key
	// Err, if set, is why the part cannot be read, and says which it is. Of a flag whose
	// holder alone cannot be, the Flag is set.
	Err error
}

// Tally counts what a ledger has, by a few words for what is counted.
type Tally map[string]uint64

// What a [Tally] counts, besides the events of each route and state.
const (
	TallyEvents      = "events"
	TallyBodies      = "bodies"
	TallyDue         = "due events"
	TallyOrders      = "orders"
	TallyGenerations = "generations of orders"
	TallyFlags       = "flags"
	TallyLooks       = "accounts whose records are compared"
)

// TallyState is what counts a route's events of a state.
func TallyState(route string, state State) string {
	return "events of the route " + route + " that are " + state.String()
}

// Add counts a part.
func (t Tally) Add(p Part) {
	switch p.Kind {
	case EventPart:
		t[TallyEvents]++
		t[TallyState(p.Event.Route, p.Event.State)]++
		if p.Event.Body != nil || p.Event.BodyDamaged {
			t[TallyBodies]++
		}
		if p.Event.NextAttemptAt != nil {
			t[TallyDue]++
		}
	case OrderPart:
		t[TallyOrders]++
	case GenerationPart:
		t[TallyGenerations]++
	case FlagPart:
		t[TallyFlags]++
	case LookPart:
		t[TallyLooks]++
	}
}
