package sandbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seed-338f6760/caddy-ccpayment/sandbox/engine"
)

// progress gives a withdrawal its next status and does what comes with it:
// what is processing succeeds after the confirmation time, what failed or was
// rejected goes back to the balance, and a webhook is sent for each. The lock
// is held.
func (s *Sandbox) progress(w *withdrawal, status string) {
	st, now := s.st, s.engine.Now()
	w.status = status
	switch status {
	case statusProcessing:
		w.from = engine.NewAddress(w.network.chain.family)
		s.engine.At(now.Add(s.engine.Sooner(confirmation)), func(context.Context, time.Time) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.st == st && w.status == statusProcessing {
				s.progress(w, statusSuccess)
			}
		})
	case statusSuccess:
		w.from, w.txID = cmp.Or(w.from, engine.NewAddress(w.network.chain.family)), engine.NewTxID()
	case statusFailed, statusRejected:
		st.credit(w.user, w.coin, w.taken)
		if w.refunds != nil {
			w.refunds.status = statusSuccess
			s.settle(w.refunds)
		}
	}
	if w.kind == kindWithdrawal || w.kind == kindUserWithdrawal {
		s.notify(&notice{
			kind: w.kind, status: status, recordID: w.recordID, orderID: w.orderID,
			url: w.notifyURL, createdAt: w.createdAt,
			message: func() object { return w.message(status) },
		})
	}
	if w.batch != nil {
		s.follow(w.batch, w)
	}
}

// message is the "msg" of a withdrawal's webhook. It has no amount.
func (w *withdrawal) message(status string) object {
	msg := object{
		"recordId": w.recordID, "orderId": w.orderID,
		"coinId": w.coin.id, "coinSymbol": w.coin.inRecords(), "status": status,
	}
	if w.kind == kindUserWithdrawal {
		msg["userId"] = w.user
	}
	return msg
}

// SetApproval lets withdrawals to addresses that are made from now on wait for
// the merchant's approval, as a switch in CCPayment's console does, or no
// longer. One that waits stays so until SettleWithdrawal decides.
func (s *Sandbox) SetApproval(needed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.payouts.approval = needed
}

// SettleWithdrawal decides what becomes of a withdrawal that has not ended:
// "success", "failed" or, of one that waits for approval, "processing" (which
// succeeds after the confirmation time) or "rejected". What failed or was
// rejected is back in the balance before this returns. Auto-withdrawals and
// risk refunds can be settled too. The error is that the record does not
// exist, or that the status cannot follow its present one.
func (s *Sandbox) SettleWithdrawal(recordID, status string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.st.payouts.withdrawals.byRecord[recordID]
	if w == nil {
		return fmt.Errorf("record_id: no withdrawal has the record id %q", recordID)
	}
	var next string
	switch strings.ToLower(status) {
	case "success":
		next = statusSuccess
	case "failed":
		next = statusFailed
	case "processing":
		next = statusProcessing
	case "rejected":
		next = statusRejected
	default:
		return fmt.Errorf(`status: must be "success", "failed", "processing" or "rejected", got %q`, status)
	}
	switch w.status {
	case statusWaiting:
	case statusProcessing:
		if next == statusProcessing || next == statusRejected {
			return errors.New(`status: the withdrawal is processing; only "success" or "failed" can follow`)
		}
	default:
		return fmt.Errorf("record_id: the withdrawal has ended, it is %s", strings.ToLower(w.status))
	}
	s.progress(w, next)
	return nil
}
