package move

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-338f6760/caddy-ccpayment/internal/encoding"
	"github.com/seed-338f6760/caddy-ccpayment/ledger"
)

// mostDifferences is how many differences are listed.
const mostDifferences = 20

// result is what was moved.
type result struct {
	tally ledger.Tally
	sum   checksum
	left  int
}

func (r *result) String() string {
	t := r.tally
	text := fmt.Sprintf("%d events with %d bodies, %d of them due, %d orders with %d generations and %d flags are there, with the checksum %s",
		t[ledger.TallyEvents], t[ledger.TallyBodies], t[ledger.TallyDue], t[ledger.TallyOrders], t[ledger.TallyGenerations], t[ledger.TallyFlags], r.sum)
	if r.left > 0 {
		text += fmt.Sprintf("; %d that cannot be read were left behind", r.left)
	}
	return text
}

// verify reads all that the source has and what the target has of it, and compares the
// two, with their checksums and their numbers. It lists what was left behind.
func verify(from ledger.Export, to ledger.Import, opts Options) (*result, error) {
	r := &result{tally: make(ledger.Tally)}
	var there checksum
	var differences []string
	count := 0
	differs := func(format string, args ...any) {
		if count++; count <= mostDifferences {
			differences = append(differences, fmt.Sprintf(format, args...))
		}
	}
	p := newProgress("verified", from.About().Events, opts)
	err := each(from, nil, opts.Batch, func(b read) error {
		parts, damaged, err := usable(b.parts, opts)
		if err != nil {
			return err
		}
		for _, d := range damaged {
			r.left++
			opts.Print("left behind: %v%s", d.Err, consequence(d))
		}
		copies, err := to.Read(parts)
		if err != nil {
			return again(err)
		}
		for i := range parts {
			want := canonical(&parts[i])
			r.tally.Add(parts[i])
			r.sum.add(want)
			switch got := canonical(&copies[i]); {
			case errors.Is(copies[i].Err, ledger.ErrNotFound):
				differs("%s is missing", nameOf(&parts[i]))
			case copies[i].Err != nil:
				differs("%s: %v", nameOf(&parts[i]), copies[i].Err)
			case string(got) != string(want):
				differs("%s is another: %s", nameOf(&parts[i]), difference(&parts[i], &copies[i]))
				there.add(got)
			default:
				there.add(got)
			}
		}
		p.add(parts)
		return nil
	})
	if err != nil {
		return nil, err
	}
	counted, err := to.Tally()
	if err != nil {
		return nil, again(err)
	}
	for _, what := range slices.Sorted(maps.Keys(union(r.tally, counted))) {
		if r.tally[what] != counted[what] {
			differs("there are %d %s in place of %d", counted[what], what, r.tally[what])
		}
	}
	if count == 0 && r.sum != there {
		differs("the checksum is %s in place of %s", there, r.sum)
	}
	if count == 0 {
		return r, nil
	}
	more := ""
	if count > len(differences) {
		more = fmt.Sprintf("\n… and %d more", count-len(differences))
	}
	return nil, fmt.Errorf("%s is not what %s is, in %d places, so the move is not ended and the old ledger stays as it is. Something has changed it, or the disk fails: drop the schema and move again.\n%s%s",
		to.Name(), from.About().From, count, strings.Join(differences, "\n"), more)
}

func union(a, b ledger.Tally) ledger.Tally {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// consequence says what comes of it that a part is left behind.
func consequence(p ledger.Part) string {
	switch {
	case p.Kind == ledger.EventPart:
		return ": a copy of its webhook is a new event with the same id"
	case p.Kind == ledger.FlagPart && p.Flag != (ledger.Flag{}):
		return ": it stays bound, so no event carries it any more; settle by hand what it stands for"
	default:
		return ""
	}
}

// canonical returns the same bytes for two parts that are the same.
func canonical(p *ledger.Part) []byte {
	fields := []string{strconv.Itoa(int(p.Kind)), p.ID.AppID, p.ID.ID}
	switch p.Kind {
	case ledger.EventPart:
		value, err := encoding.EncodeEvent(nil, &p.Event, true)
		fields = append(fields, string(value), text(err), strconv.FormatBool(p.Event.Body != nil), strconv.FormatBool(p.Event.BodyDamaged), string(p.Event.Body))
	case ledger.OrderPart:
		value, err := encoding.EncodeOrder(nil, &p.Order)
		fields = append(fields, string(value), text(err))
	case ledger.GenerationPart:
		fields = append(fields, p.Of.AppID, p.Of.ID)
	case ledger.LookPart:
		value, err := encoding.EncodeLook(nil, p.Look)
		fields = append(fields, string(value), text(err))
	case ledger.FlagPart:
		h := p.Holder
		fields = append(fields, p.Flag.Name, p.Flag.AppID, p.Flag.Type, p.Flag.ID, h.Route, h.AppID, h.Type, h.ID, h.Status, string(h.Risk))
	}
	var bytes []byte
	for _, field := range fields {
		bytes = append(binary.AppendUvarint(bytes, uint64(len(field))), field...)
	}
	return bytes
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// checksum is one of many values, in whatever order they come.
type checksum [4]uint64

func (c *checksum) add(value []byte) {
	sum := sha256.Sum256(value)
	for i := range c {
		c[i] += binary.BigEndian.Uint64(sum[8*i:])
	}
}

func (c checksum) String() string {
	var b []byte
	for _, part := range c {
		b = binary.BigEndian.AppendUint64(b, part)
	}
	return hex.EncodeToString(b[:16])
}

// nameOf names a part for people.
func nameOf(p *ledger.Part) string {
	switch p.Kind {
	case ledger.EventPart:
		e := &p.Event
		return fmt.Sprintf("the event %s (%s of record %q, status %q, route %q)", e.EventID(), e.Type, e.ID, e.Status, e.Route)
	case ledger.OrderPart:
		return fmt.Sprintf("the order %q", p.ID.ID)
	case ledger.GenerationPart:
		return fmt.Sprintf("which order %q at the gateway belongs to", p.ID.ID)
	case ledger.LookPart:
		return fmt.Sprintf("how far the records of %q were compared", p.Look.AppID)
	default:
		return fmt.Sprintf("the flag %s of %q", p.Flag.Name, p.Flag.ID)
	}
}

// difference says in what two parts differ.
func difference(want, got *ledger.Part) string {
	if want.Kind != ledger.EventPart {
		return "its value"
	}
	a, b := &want.Event, &got.Event
	var in []string
	for what, same := range map[string]bool{
		"its state":   a.State == b.State,
		"its history": slices.Equal(a.Transitions, b.Transitions),
		"its body":    string(a.Body) == string(b.Body) && (a.Body == nil) == (b.Body == nil) && a.BodyDamaged == b.BodyDamaged,
		"when it is due": (a.NextAttemptAt == nil) == (b.NextAttemptAt == nil) &&
			(a.NextAttemptAt == nil || a.NextAttemptAt.Equal(*b.NextAttemptAt)),
	} {
		if !same {
			in = append(in, what)
		}
	}
	if len(in) == 0 {
		return "its value"
	}
	slices.Sort(in)
	return strings.Join(in, ", ")
}
