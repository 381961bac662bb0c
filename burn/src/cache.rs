//! A bounded number of things made once.

use std::hash::Hash;

use std::collections::HashMap;

/// The things made last, by their keys: of more than `most` those go that were not used for the longest time, and
/// whatever `idle` calls have not asked for.
#[derive(Debug)]
pub struct Cache<K, V> {
    most: usize,
    idle: u64,
    clock: u64,
    made: HashMap<K, (u64, V)>,
}

impl<K: Clone + Eq + Hash, V: Clone> Cache<K, V> {
    pub fn new(most: usize, idle: u64) -> Self {
        Cache { most, idle, clock: 0, made: HashMap::new() }
    }

    /// What was made for the key, or what is made now.
    pub fn get_or<E>(&mut self, key: K, make: impl FnOnce() -> Result<V, E>) -> Result<V, E> {
        self.clock += 1;
        self.made.retain(|_, (used, _)| self.clock - *used <= self.idle);
        if let Some((used, value)) = self.made.get_mut(&key) {
            *used = self.clock;
            return Ok(value.clone());
        }
        let value = make()?;
        if self.made.len() >= self.most {
            let oldest = self.made.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                self.made.remove(&oldest);
            }
        }
        self.made.insert(key, (self.clock, value.clone()));
        Ok(value)
    }

    /// Lets go of everything.
    pub fn clear(&mut self) {
        self.made.clear();
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.made.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_last_stays() {
        let mut cache = Cache::new(2, u64::MAX);
        let made = |cache: &mut Cache<u32, u32>, key, value| cache.get_or(key, || Ok::<_, ()>(value)).unwrap();
        assert_eq!(made(&mut cache, 1, 10), 10);
        assert_eq!(made(&mut cache, 2, 20), 20);
        assert_eq!(made(&mut cache, 1, 11), 10);
        assert_eq!(made(&mut cache, 3, 30), 30);
        assert_eq!(cache.len(), 2);
        assert_eq!(made(&mut cache, 1, 12), 10);
        assert_eq!(made(&mut cache, 2, 21), 21);
    }

    #[test]
    fn what_is_not_used_goes() {
        let mut cache = Cache::new(10, 2);
        let made = |cache: &mut Cache<u32, u32>, key, value| cache.get_or(key, || Ok::<_, ()>(value)).unwrap();
        made(&mut cache, 1, 10);
        made(&mut cache, 2, 20);
        assert_eq!(made(&mut cache, 1, 11), 10);
        made(&mut cache, 3, 30);
        assert_eq!(cache.len(), 3);
        made(&mut cache, 3, 30);
        assert_eq!(cache.len(), 2);
        assert_eq!(made(&mut cache, 2, 21), 21);
        cache.clear();
        assert_eq!(cache.len(), 0);
    }

    #[test]
    fn what_cannot_be_made_is_not_kept() {
        let mut cache = Cache::<u32, u32>::new(2, u64::MAX);
        assert_eq!(cache.get_or(1, || Err("no")), Err("no"));
        assert_eq!(cache.len(), 0);
    }
}
