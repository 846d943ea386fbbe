package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/cometbft/cometbft/crypto"
	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtbytes "github.com/cometbft/cometbft/libs/bytes"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/libs/protoio"
	"github.com/cometbft/cometbft/libs/tempfile"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"
	"github.com/cosmos/gogoproto/proto"
)

const (
	stepPropose   int8 = 1
	stepPrevote   int8 = 2
	stepPrecommit int8 = 3
)

// signer signs with a priv_validator.json of Tendermint 0.22 to 0.30: key and last signed
// height, round and step in one file, replaced at every signature. CometBFT's own signer keeps
// the state in a second file, and what a restore does to the one file is what is to be tested.
type signer struct {
	path  string
	key   crypto.PrivKey
	state signState
}

type signState struct {
	height    int64
	round     int32
	step      int8
	signature []byte
	signBytes []byte
}

// signerFile is the file's JSON: 64-bit integers and rounds are strings, the step is a number.
type signerFile struct {
	Address       types.Address     `json:"address"`
	PubKey        json.RawMessage   `json:"pub_key"`
	LastHeight    int64             `json:"last_height,string"`
	LastRound     int32             `json:"last_round,string"`
	LastStep      int8              `json:"last_step"`
	LastSignature []byte            `json:"last_signature,omitempty"`
	LastSignBytes cmtbytes.HexBytes `json:"last_signbytes,omitempty"`
	PrivKey       json.RawMessage   `json:"priv_key"`
}

func createSigner(path string) (*signer, error) {
	s := &signer{path: path, key: ed25519.GenPrivKey()}
	return s, s.save()
}

func openSigner(path string) (*signer, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read sign state: %w", err)
	}
	var f signerFile
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("read sign state: %w", err)
	}
	s := &signer{path: path, state: signState{
		height: f.LastHeight, round: f.LastRound, step: f.LastStep,
		signature: f.LastSignature, signBytes: f.LastSignBytes,
	}}
	if err := cmtjson.Unmarshal(f.PrivKey, &s.key); err != nil {
		return nil, fmt.Errorf("read sign state: %w", err)
	}
	return s, nil
}

func (s *signer) save() error {
	pub, err := cmtjson.Marshal(s.key.PubKey())
	if err != nil {
		return fmt.Errorf("write sign state: %w", err)
	}
	priv, err := cmtjson.Marshal(s.key)
	if err != nil {
		return fmt.Errorf("write sign state: %w", err)
	}
	text, err := json.MarshalIndent(signerFile{
		Address: s.key.PubKey().Address(), PubKey: pub,
		LastHeight: s.state.height, LastRound: s.state.round, LastStep: s.state.step,
		LastSignature: s.state.signature, LastSignBytes: s.state.signBytes,
		PrivKey: priv,
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("write sign state: %w", err)
	}
	if err := tempfile.WriteFileAtomic(s.path, text, 0o600); err != nil {
		return fmt.Errorf("write sign state: %w", err)
	}
	return nil
}

// GetPubKey implements types.PrivValidator.
func (s *signer) GetPubKey() (crypto.PubKey, error) { return s.key.PubKey(), nil }

// SignVote implements types.PrivValidator.
func (s *signer) SignVote(chainID string, vote *cmtproto.Vote) error {
	step := stepPrevote
	if vote.Type == cmtproto.PrecommitType {
		step = stepPrecommit
		if !types.ProtoBlockIDIsNil(&vote.BlockID) {
			// Extensions may differ from run to run and are signed anew each time.
			ext, err := s.key.Sign(types.VoteExtensionSignBytes(chainID, vote))
			if err != nil {
				return err
			}
			vote.ExtensionSignature = ext
		}
	}
	sig, at, err := s.sign(vote.Height, vote.Round, step, types.VoteSignBytes(chainID, vote), voteTime)
	if err != nil {
		return fmt.Errorf("sign vote: %w", err)
	}
	vote.Signature = sig
	if !at.IsZero() {
		vote.Timestamp = at
	}
	return nil
}

// SignProposal implements types.PrivValidator.
func (s *signer) SignProposal(chainID string, proposal *cmtproto.Proposal) error {
	sig, at, err := s.sign(proposal.Height, proposal.Round, stepPropose,
		types.ProposalSignBytes(chainID, proposal), proposalTime)
	if err != nil {
		return fmt.Errorf("sign proposal: %w", err)
	}
	proposal.Signature = sig
	if !at.IsZero() {
		proposal.Timestamp = at
	}
	return nil
}

// sign refuses whatever is not above the last signature. What was signed already is given out
// once more, with the time it had then if nothing but the time differs.
func (s *signer) sign(height int64, round int32, step int8, msg []byte, sameBut timeCompare) ([]byte, time.Time, error) {
	last := s.state
	switch {
	case height < last.height,
		height == last.height && round < last.round,
		height == last.height && round == last.round && step < last.step:
		return nil, time.Time{}, fmt.Errorf("%d/%d/%d is below the last signature at %d/%d/%d",
			height, round, step, last.height, last.round, last.step)
	case height == last.height && round == last.round && step == last.step:
		if bytes.Equal(msg, last.signBytes) {
			return last.signature, time.Time{}, nil
		}
		if at, ok := sameBut(last.signBytes, msg); ok {
			return last.signature, at, nil
		}
		return nil, time.Time{}, fmt.Errorf("conflicting data at %d/%d/%d", height, round, step)
	}
	sig, err := s.key.Sign(msg)
	if err != nil {
		return nil, time.Time{}, err
	}
	s.state = signState{height: height, round: round, step: step, signature: sig, signBytes: msg}
	return sig, time.Time{}, s.save()
}

// timeCompare answers the time in a, and whether a and b differ in nothing else.
type timeCompare func(a, b []byte) (time.Time, bool)

func voteTime(a, b []byte) (time.Time, bool) {
	var x, y cmtproto.CanonicalVote
	if protoio.UnmarshalDelimited(a, &x) != nil || protoio.UnmarshalDelimited(b, &y) != nil {
		return time.Time{}, false
	}
	at := x.Timestamp
	x.Timestamp = y.Timestamp
	return at, proto.Equal(&x, &y)
}

func proposalTime(a, b []byte) (time.Time, bool) {
	var x, y cmtproto.CanonicalProposal
	if protoio.UnmarshalDelimited(a, &x) != nil || protoio.UnmarshalDelimited(b, &y) != nil {
		return time.Time{}, false
	}
	at := x.Timestamp
	x.Timestamp = y.Timestamp
	return at, proto.Equal(&x, &y)
}
