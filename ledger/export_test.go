package ledger

// SetProcess names the process, so that equal worlds are equal in every run.
func (l *Ledger) SetProcess(name string) { l.process = name }
