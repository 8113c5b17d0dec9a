//! The subscriptions of one WebSocket, and how far each was told.
//!
//! A subscription is told of every block after the head at which it was opened. It keeps no results: what is to be told next is read
//! when the client has taken what came before, and who falls too far behind is cut.

use std::{collections::BTreeMap, sync::Arc};

use alloy_rpc_types_eth::Filter;
use primitives::Height;
use serde::Serialize;

use crate::{config, filters::values, identifier::Identifier};

/// What a client wants to hear of.
#[derive(Clone, Debug)]
pub(crate) enum Topic {
    Heads { told: Height },
    Logs { filter: Arc<Filter>, told: Height },
    Pending { is_full: bool },
    Syncing { was: bool },
}

/// No more subscriptions on this connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TooMany {
    #[error("this connection has {max} subscriptions already; unsubscribe from some", max = config::MAX_SUBSCRIPTIONS)]
    Subscriptions,
    #[error("the subscriptions of this connection name {max} addresses and topics already; name fewer", max = config::MAX_SUBSCRIBED_VALUES)]
    Values,
}

/// What one connection has subscribed to.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions(BTreeMap<Identifier, Subscription>);

#[derive(Debug)]
struct Subscription {
    topic: Topic,
    /// Whether the client knows its identifier; nothing is told before.
    is_announced: bool,
}

impl Subscriptions {
    pub fn open(&mut self, id: Identifier, topic: Topic) -> Result<(), TooMany> {
        if config::MAX_SUBSCRIPTIONS <= self.0.len() {
            return Err(TooMany::Subscriptions);
        }
        let named: usize = self.0.values().map(|subscription| &subscription.topic).chain([&topic]).map(named).sum();
        if config::MAX_SUBSCRIBED_VALUES < named {
            return Err(TooMany::Values);
        }
        self.0.insert(id, Subscription { topic, is_announced: false });
        Ok(())
    }

    /// The client has been sent these identifiers.
    pub fn announce(&mut self, ids: &[Identifier]) {
        for id in ids {
            if let Some(subscription) = self.0.get_mut(id) {
                subscription.is_announced = true;
            }
        }
    }

    /// Whether it was there.
    pub fn close(&mut self, id: &Identifier) -> bool {
        self.0.remove(id).is_some()
    }

    /// The next block that somebody is to be told of.
    pub fn next_block(&self) -> Option<Height> {
        let told = |topic: &Topic| match topic {
            Topic::Heads { told } | Topic::Logs { told, .. } => Some(told.next()),
            Topic::Pending { .. } | Topic::Syncing { .. } => None,
        };
        self.live().filter_map(|(_, topic)| told(topic)).min()
    }

    /// Who is to be told of the block at `height`; they count as told.
    pub fn tell(&mut self, height: Height) -> Vec<(Identifier, Option<Arc<Filter>>)> {
        let mut due = Vec::new();
        for (id, subscription) in self.0.iter_mut().filter(|(_, subscription)| subscription.is_announced) {
            let (told, filter) = match &mut subscription.topic {
                Topic::Heads { told } => (told, None),
                Topic::Logs { told, filter } => (told, Some(filter.clone())),
                Topic::Pending { .. } | Topic::Syncing { .. } => continue,
            };
            if *told < height {
                *told = height;
                due.push((*id, filter));
            }
        }
        due
    }

    /// Who wants waiting transactions, and whether as a whole.
    pub fn pending(&self) -> Vec<(Identifier, bool)> {
        let wanted = |(id, topic): (&Identifier, &Topic)| match topic {
            Topic::Pending { is_full } => Some((*id, *is_full)),
            _ => None,
        };
        self.live().filter_map(wanted).collect()
    }

    /// Whether somebody wants waiting transactions, announced or not yet.
    pub fn wants_pending(&self) -> bool {
        self.0.values().any(|subscription| matches!(subscription.topic, Topic::Pending { .. }))
    }

    pub fn wants_syncing(&self) -> bool {
        self.live().any(|(_, topic)| matches!(topic, Topic::Syncing { .. }))
    }

    /// Who has to hear that the node is syncing now, or is no more.
    pub fn syncing(&mut self, is_syncing: bool) -> Vec<Identifier> {
        let mut due = Vec::new();
        for (id, subscription) in self.0.iter_mut().filter(|(_, subscription)| subscription.is_announced) {
            if let Topic::Syncing { was } = &mut subscription.topic
                && *was != is_syncing
            {
                *was = is_syncing;
                due.push(*id);
            }
        }
        due
    }

    /// Any one of them, to say why all end.
    pub fn first(&self) -> Option<Identifier> {
        self.0.keys().next().copied()
    }

    fn live(&self) -> impl Iterator<Item = (&Identifier, &Topic)> {
        self.0.iter().filter(|(_, subscription)| subscription.is_announced).map(|(id, subscription)| (id, &subscription.topic))
    }
}

fn named(topic: &Topic) -> usize {
    match topic {
        Topic::Logs { filter, .. } => values(filter),
        _ => 0,
    }
}

/// What a subscriber is sent.
#[derive(Serialize)]
struct Notification<T> {
    jsonrpc: &'static str,
    method: &'static str,
    params: T,
}

#[derive(Serialize)]
struct Told<'a, T> {
    subscription: Identifier,
    result: &'a T,
}

#[derive(Serialize)]
struct Ended<'a> {
    subscription: Identifier,
    error: &'a str,
}

/// The message that tells subscription `id` of `result`.
pub(crate) fn told<T: Serialize>(id: Identifier, result: &T) -> String {
    write(Told { subscription: id, result })
}

/// The last message of a connection whose client is too slow.
pub(crate) fn ended(id: Identifier, error: &str) -> String {
    write(Ended { subscription: id, error })
}

fn write<T: Serialize>(params: T) -> String {
    serde_json::to_string(&Notification { jsonrpc: "2.0", method: "eth_subscription", params }).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn open(subscriptions: &mut Subscriptions, topic: Topic) -> Identifier {
        let id = Identifier::random();
        subscriptions.open(id, topic).unwrap();
        id
    }

    fn heads(told: u64) -> Topic {
        Topic::Heads { told: Height(told) }
    }

    #[test]
    fn nothing_is_told_before_the_client_knows_the_identifier() {
        let mut subscriptions = Subscriptions::default();
        let id = open(&mut subscriptions, heads(4));
        assert_eq!(subscriptions.next_block(), None);
        assert!(subscriptions.tell(Height(5)).is_empty());
        subscriptions.announce(&[id]);
        assert_eq!(subscriptions.next_block(), Some(Height(5)));
        assert_eq!(subscriptions.tell(Height(5)).len(), 1);
    }

    #[test]
    fn each_subscription_is_told_of_every_block_once() {
        let mut subscriptions = Subscriptions::default();
        let (early, late) = (open(&mut subscriptions, heads(4)), open(&mut subscriptions, heads(5)));
        subscriptions.announce(&[early, late]);
        let told = |subscriptions: &mut Subscriptions, height| subscriptions.tell(Height(height)).into_iter().map(|(id, _)| id).collect::<Vec<_>>();
        assert_eq!(told(&mut subscriptions, 5), [early]);
        assert_eq!(told(&mut subscriptions, 6).len(), 2);
        assert_eq!(told(&mut subscriptions, 6), []);
        assert_eq!(subscriptions.next_block(), Some(Height(7)));
        assert!(subscriptions.close(&early) && !subscriptions.close(&early));
        assert_eq!(told(&mut subscriptions, 7), [late]);
    }

    #[test]
    fn syncing_is_told_when_it_changes_only() {
        let mut subscriptions = Subscriptions::default();
        let id = open(&mut subscriptions, Topic::Syncing { was: false });
        subscriptions.announce(&[id]);
        assert!(subscriptions.wants_syncing());
        for (is_syncing, told) in [(false, 0), (true, 1), (true, 0), (false, 1)] {
            assert_eq!(subscriptions.syncing(is_syncing).len(), told);
        }
    }

    #[test]
    fn a_connection_has_so_many_subscriptions_and_no_more() {
        let mut subscriptions = Subscriptions::default();
        (0..config::MAX_SUBSCRIPTIONS).for_each(|_| _ = open(&mut subscriptions, heads(0)));
        assert_eq!(subscriptions.open(Identifier::random(), heads(0)), Err(TooMany::Subscriptions));
        let id = subscriptions.first().unwrap();
        subscriptions.close(&id);
        assert_eq!(subscriptions.open(Identifier::random(), heads(0)), Ok(()));
    }

    #[test]
    fn what_the_subscriptions_of_a_connection_name_is_bounded() {
        let topics: Vec<_> = (0..1_000u64).map(|value| alloy_primitives::B256::from(alloy_primitives::U256::from(value))).collect();
        let filter = Arc::new(Filter::new().event_signature(topics));
        let logs = || Topic::Logs { filter: filter.clone(), told: Height(0) };
        let mut subscriptions = Subscriptions::default();
        (0..5).for_each(|_| _ = open(&mut subscriptions, logs()));
        assert_eq!(subscriptions.open(Identifier::random(), logs()), Err(TooMany::Values));
    }

    #[test]
    fn a_notification_has_the_shape_that_clients_know() {
        let id: Identifier = serde_json::from_str("\"0x2a\"").unwrap();
        let text = r#"{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"0x0000000000000000000000000000002a","result":true}}"#;
        assert_eq!(told(id, &true), text);
    }
}
