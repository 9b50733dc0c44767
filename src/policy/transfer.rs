//! What becomes of a transfer of care: its states, what leads from one to another, and who may say so.
//!
//! Three acknowledgements differ: the receiver's server has taken it (*transport*), its software has
//! understood it (*application*), and somebody there looks after the person (*clinical*). A transfer
//! never ends anybody's care here by itself.

use std::time::Duration;

use super::words::words;

/// How long a transfer that nobody has taken stays open.
pub const OPEN_FOR: Duration = Duration::from_hours(14 * 24);
/// How long it is tried, from when it was signed off.
pub const TRIED_FOR: Duration = Duration::from_hours(24);
/// After how many days without a clinical acknowledgement somebody is reminded.
pub const REMINDERS: &[i32] = &[3, 7, 12];

words! {
    /// Where a transfer is.
    State {
        /// Somebody prepares it.
        Draft = "draft",
        /// It is signed off, and on its way.
        Ready = "ready",
        /// The receiver's server has taken it.
        Sent = "sent",
        /// The receiver's software has understood it.
        Received = "received",
        /// The receiver takes the person on.
        Accepted = "accepted",
        /// The receiver does not take the person on.
        Rejected = "rejected",
        /// The receiver looks after the person.
        Completed = "completed",
        /// It was stopped before anybody had it.
        Cancelled = "cancelled",
        /// It could not be delivered.
        Failed = "failed",
        /// Nobody took it in time.
        Expired = "expired",
    }
}

words! {
    /// What can happen to a transfer.
    Event {
        /// A therapist has signed it off.
        Approve = "approve",
        /// An attempt did not succeed, and there will be another.
        Attempted = "attempted",
        /// The receiver's server could not tell who it is: somebody has to.
        Held = "held",
        /// Transport: the receiver's server has taken it.
        Delivered = "delivered",
        /// Application: the receiver's software has understood it.
        Understood = "understood",
        /// The receiver takes the person on.
        Accept = "accept",
        /// The receiver does not.
        Reject = "reject",
        /// Clinical: the receiver looks after the person.
        Complete = "complete",
        /// Somebody stopped it.
        Cancel = "cancel",
        /// No consent lets the receiver have anything any more.
        ConsentEnded = "consent_ended",
        /// The same, but the receiver has it already: it cannot be called back.
        EndedAfter = "consent_ended_after",
        /// It cannot be delivered.
        Fail = "fail",
        /// Its time is over.
        Expire = "expire",
        /// It is to be tried again.
        Resend = "resend",
    }
}

words! {
    /// What an acknowledgement is of.
    Ack {
        /// The receiver's server.
        Transport = "transport",
        /// The receiver's software.
        Application = "application",
        /// Somebody who treats the person.
        Clinical = "clinical",
    }
}

/// Who moves a transfer on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Somebody of the practice, who may also write down what the receiver said.
    Practice,
    /// The gateway itself.
    Gateway,
}

impl State {
    /// The state after an event; nothing where that cannot happen now.
    pub fn after(self, event: Event) -> Option<Self> {
        use State::{
            Accepted, Cancelled, Completed, Draft, Expired, Failed, Ready, Received, Rejected, Sent,
        };
        Some(match (self, event) {
            (Draft, Event::Approve)
            | (Ready, Event::Attempted | Event::Held | Event::Resend)
            | (Failed | Expired | Sent, Event::Resend) => Ready,
            // It was on its way when it was stopped: the receiver has it.
            (Ready | Cancelled, Event::Delivered) => Sent,
            (Sent, Event::Understood) => Received,
            (Sent | Received, Event::Accept) => Accepted,
            (Sent | Received, Event::Reject) => Rejected,
            (Sent | Received | Accepted, Event::Complete) => Completed,
            // What the receiver has cannot be called back.
            (Draft | Ready | Failed, Event::Cancel) | (Draft | Ready, Event::ConsentEnded) => {
                Cancelled
            }
            (Ready, Event::Fail) => Failed,
            (Draft | Ready, Event::Expire) => Expired,
            (Sent | Received | Accepted, Event::EndedAfter) => self,
            _ => return None,
        })
    }

    /// Whether nothing more is to come.
    pub fn is_closed(self) -> bool {
        matches!(
            self,
            Self::Rejected | Self::Completed | Self::Cancelled | Self::Failed | Self::Expired
        )
    }

    /// Whether the receiver may have something of the record.
    pub fn is_out(self) -> bool {
        matches!(
            self,
            Self::Sent | Self::Received | Self::Accepted | Self::Rejected | Self::Completed
        )
    }

    /// Whether somebody is reminded that the receiver has not said who looks after the person.
    pub fn is_awaited(self) -> bool {
        matches!(self, Self::Sent | Self::Received | Self::Accepted)
    }
}

impl Event {
    /// Who may say so.
    pub fn may_be_said_by(self, side: Side) -> bool {
        let is_practices = matches!(
            self,
            Self::Approve
                | Self::Accept
                | Self::Reject
                | Self::Complete
                | Self::Cancel
                | Self::Resend
        );
        is_practices == (side == Side::Practice)
    }

    /// What it acknowledges.
    pub fn acknowledges(self) -> Option<Ack> {
        match self {
            Self::Delivered => Some(Ack::Transport),
            Self::Understood | Self::Accept | Self::Reject => Some(Ack::Application),
            Self::Complete => Some(Ack::Clinical),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_follow_what_is_this_table() {
        let row = |state: &State| {
            let row: Vec<String> = Event::ALL
                .iter()
                .filter_map(|event| {
                    let after = state.after(*event)?;
                    Some(format!("{}>{}", event.as_str(), after.as_str()))
                })
                .collect();
            format!("{}: {}\n", state.as_str(), row.join(" "))
        };
        let table: String = State::ALL.iter().map(row).collect();
        assert_eq!(
            table,
            "draft: approve>ready cancel>cancelled consent_ended>cancelled expire>expired\n\
             ready: attempted>ready held>ready delivered>sent cancel>cancelled \
             consent_ended>cancelled fail>failed expire>expired resend>ready\n\
             sent: understood>received accept>accepted reject>rejected complete>completed \
             consent_ended_after>sent resend>ready\n\
             received: accept>accepted reject>rejected complete>completed \
             consent_ended_after>received\n\
             accepted: complete>completed consent_ended_after>accepted\n\
             rejected: \n\
             completed: \n\
             cancelled: delivered>sent\n\
             failed: cancel>cancelled resend>ready\n\
             expired: resend>ready\n"
        );
    }

    #[test]
    fn what_a_receiver_has_is_never_called_back() {
        for state in State::ALL.iter().filter(|state| state.is_out()) {
            for event in [Event::Cancel, Event::ConsentEnded, Event::Expire] {
                assert_eq!(state.after(event), None, "{}", state.as_str());
            }
        }
    }

    #[test]
    fn every_event_has_one_side_and_acknowledgements_come_in_their_order() {
        for event in Event::ALL {
            let sides = [Side::Practice, Side::Gateway];
            assert_eq!(sides.iter().filter(|side| event.may_be_said_by(**side)).count(), 1);
        }
        let order = [Event::Delivered, Event::Understood, Event::Complete];
        let acks: Vec<_> = order.iter().filter_map(|event| event.acknowledges()).collect();
        assert_eq!(acks, Ack::ALL);
    }
}
