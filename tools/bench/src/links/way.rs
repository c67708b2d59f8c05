//! One direction of a link: packets wait for the line, travel, and some are lost.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long packets may wait for the line; more are dropped, as routers do.
const QUEUE: Duration = Duration::from_millis(400);

/// What a link does to packets in each direction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conditions {
    /// From one end to the other.
    pub(super) delay: Duration,
    /// Of a hundred packets, how many are lost.
    pub(super) loss: u32,
    /// Bytes a second.
    pub(super) rate: u32,
}

/// Packets on their way.
pub(super) struct Way {
    conditions: Conditions,
    travelling: VecDeque<(Instant, Vec<u8>)>,
    /// When the line has sent all that it was given.
    free: Instant,
    /// State of a xorshift generator.
    chance: u32,
}

impl Way {
    pub(super) fn new(conditions: Conditions, chance: u32) -> Self {
        Self { conditions, travelling: VecDeque::new(), free: Instant::now(), chance }
    }

    /// Takes a packet in, or loses it.
    pub(super) fn take(&mut self, packet: &[u8], now: Instant) {
        let start = self.free.max(now);
        if self.draw() % 100 < self.conditions.loss || start - now > QUEUE {
            return;
        }
        self.free = start + Duration::from_secs_f64(packet.len() as f64 / f64::from(self.conditions.rate));
        self.travelling.push_back((self.free + self.conditions.delay, packet.to_vec()));
    }

    /// A packet that has arrived.
    pub(super) fn arrived(&mut self, now: Instant) -> Option<Vec<u8>> {
        self.next().filter(|due| *due <= now)?;
        self.travelling.pop_front().map(|(_, packet)| packet)
    }

    /// When the next packet arrives.
    pub(super) fn next(&self) -> Option<Instant> {
        self.travelling.front().map(|(due, _)| *due)
    }

    fn draw(&mut self) -> u32 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 17;
        self.chance ^= self.chance << 5;
        self.chance
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_arrive_in_order_after_their_time_and_some_are_lost() {
        let conditions = Conditions { delay: Duration::from_millis(100), loss: 5, rate: 1_000_000 };
        let (mut way, now) = (Way::new(conditions, 7), Instant::now());
        for number in 0..200_u8 {
            way.take(&[number; 1000], now);
        }
        assert!(way.arrived(now + Duration::from_millis(100)).is_none());
        let late = now + Duration::from_millis(301);
        let arrived: Vec<_> = std::iter::from_fn(|| way.arrived(late)).map(|packet| packet[0]).collect();
        assert!(arrived.is_sorted() && (170..200).contains(&arrived.len()), "{}", arrived.len());
        for _ in 0..1000 {
            way.take(&[0; 1000], now);
        }
        let queued = std::iter::from_fn(|| way.arrived(late + QUEUE)).count();
        assert!(queued < 300, "{queued} packets waited for the line");
    }
}
