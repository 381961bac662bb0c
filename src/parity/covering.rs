//! Covering arrays: few rows of choices in which many combinations of them meet.

/// How many arrays are made, of which the shortest is taken, and how many rows are tried for each one in them.
const ARRAYS: u64 = 12;
const TRIALS: usize = 4;

/// Rows with one level of each factor, factor `f` having `levels[f]` of them. In each of the `sets` of factors every
/// combination of their levels is met by some row. The same arguments give the same rows.
///
/// Each row is the best of a few, which are made one factor at a time: the level that meets the most combinations that
/// no earlier row did. For pairs that is close to the fewest rows there can be, the product of the two largest numbers
/// of levels.
pub(crate) fn rows(levels: &[usize], sets: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let cover = Cover::new(levels, sets);
    let arrays = (0..ARRAYS).map(|seed| cover.clone().array(&mut fastrand::Rng::with_seed(seed)));
    let shortest = arrays.min_by_key(Vec::len).filter(|rows| !rows.is_empty());
    shortest.unwrap_or_else(|| vec![vec![0; levels.len()]])
}

/// What an array must meet yet.
#[derive(Clone)]
struct Cover<'a> {
    levels: &'a [usize],
    sets: Vec<Missing>,
    /// Of each factor the sets that it is in.
    of_factor: Vec<Vec<usize>>,
}

impl<'a> Cover<'a> {
    fn new(levels: &'a [usize], sets: &[Vec<usize>]) -> Self {
        let with = |factor| (0..sets.len()).filter(move |&set| sets[set].contains(&factor)).collect();
        Cover {
            levels,
            sets: sets.iter().map(|factors| Missing::all(levels, factors)).collect(),
            of_factor: (0..levels.len()).map(with).collect(),
        }
    }

    /// One array, row by row until nothing is missing.
    fn array(mut self, rng: &mut fastrand::Rng) -> Vec<Vec<usize>> {
        let mut rows = Vec::new();
        while let Some(first) = self.sets.iter().position(|set| set.left > 0) {
            let mut best = (0, Vec::new());
            for _ in 0..TRIALS {
                let row = self.row(first, rng);
                let met = self.sets.iter().filter(|set| set.is_met_by(&row)).count();
                if met > best.0 {
                    best = (met, row);
                }
            }
            self.sets.iter_mut().for_each(|set| set.remove(&best.1));
            rows.push(best.1);
        }
        rows
    }

    /// A row with a missing combination of the set `first`.
    fn row(&self, first: usize, rng: &mut fastrand::Rng) -> Vec<usize> {
        let mut row: Vec<Option<usize>> = vec![None; self.levels.len()];
        let first = &self.sets[first];
        for (factor, level) in first.nth(rng.usize(..first.left)) {
            row[factor] = Some(level);
        }
        let mut others: Vec<usize> = (0..row.len()).filter(|&factor| row[factor].is_none()).collect();
        rng.shuffle(&mut others);
        for factor in others {
            let levels = self.levels[factor];
            let mut met = vec![0_usize; levels];
            self.of_factor[factor].iter().for_each(|&set| self.sets[set].count_met_by(&row, factor, &mut met));
            // Where levels are as good as each other, none of them is always taken.
            let start = rng.usize(..levels);
            row[factor] = (0..levels).map(|turn| (start + turn) % levels).max_by_key(|&level| met[level]);
        }
        row.into_iter().flatten().collect()
    }
}

/// Every set of so many of the factors.
pub(crate) fn subsets(factors: &[usize], size: usize) -> Vec<Vec<usize>> {
    match (size, factors) {
        (0, _) => vec![Vec::new()],
        (_, []) => Vec::new(),
        (_, [first, rest @ ..]) => {
            let with = subsets(rest, size - 1).into_iter().map(|set| [&[*first], set.as_slice()].concat());
            with.chain(subsets(rest, size)).collect()
        }
    }
}

/// The combinations of some factors' levels that no row has met yet.
#[derive(Clone)]
struct Missing {
    /// The factors, and by how much the number of a combination grows with the level of each.
    factors: Vec<(usize, usize)>,
    /// Whether it is missing, by its number.
    is_missing: Vec<bool>,
    /// How many are.
    left: usize,
}

impl Missing {
    fn all(levels: &[usize], factors: &[usize]) -> Self {
        let count = factors.iter().map(|&factor| levels[factor]).product();
        let with_step = factors.iter().scan(count, |step, &factor| {
            *step /= levels[factor];
            Some((factor, *step))
        });
        Missing { factors: with_step.collect(), is_missing: vec![true; count], left: count }
    }

    /// The factors with their levels in the missing combination of that place.
    fn nth(&self, place: usize) -> impl Iterator<Item = (usize, usize)> {
        let missing = self.is_missing.iter().enumerate().filter(|(_, is_missing)| **is_missing);
        let number = missing.map(|(number, _)| number).nth(place).expect("so many are missing");
        self.factors.iter().scan(number, |rest, &(factor, step)| {
            let level = *rest / step;
            *rest %= step;
            Some((factor, level))
        })
    }

    fn number(&self, row: &[usize]) -> usize {
        self.factors.iter().map(|&(factor, step)| row[factor] * step).sum()
    }

    fn is_met_by(&self, row: &[usize]) -> bool {
        self.is_missing[self.number(row)]
    }

    /// Adds 1 for each level of a factor with which a row meets one, whatever becomes of those that are open besides.
    fn count_met_by(&self, row: &[Option<usize>], factor: usize, met: &mut [usize]) {
        let (mut first, mut own_step) = (0, 0);
        for &(other, step) in &self.factors {
            match row[other] {
                _ if other == factor => own_step = step,
                Some(level) => first += level * step,
                None => return,
            }
        }
        for (level, met) in met.iter_mut().enumerate() {
            *met += usize::from(self.is_missing[first + level * own_step]);
        }
    }

    fn remove(&mut self, row: &[usize]) {
        let number = self.number(row);
        self.left -= usize::from(self.is_missing[number]);
        self.is_missing[number] = false;
    }
}

#[cfg(test)]
mod tests {
    use super::{rows, subsets};

    /// Factors as a loss of each driver has them.
    const LEVELS: [&[usize]; 5] =
        [&[3, 4, 3, 2, 3], &[3, 4, 3, 2, 2, 2, 3, 5, 5, 2, 2], &[3, 4, 2, 5, 3], &[3, 4], &[1, 1, 4, 1]];

    /// Combinations of a set's levels that are in no row.
    fn missing(levels: &[usize], set: &[usize], rows: &[Vec<usize>]) -> usize {
        let mut met: Vec<Vec<usize>> = rows.iter().map(|row| set.iter().map(|&factor| row[factor]).collect()).collect();
        met.sort();
        met.dedup();
        set.iter().map(|&factor| levels[factor]).product::<usize>() - met.len()
    }

    #[test]
    fn every_combination_of_every_set_is_met() {
        for (levels, size) in LEVELS.iter().flat_map(|levels| [1, 2, 3].map(|size| (levels, size))) {
            let factors: Vec<usize> = (0..levels.len()).collect();
            let sets = subsets(&factors, size.min(levels.len()));
            let rows = rows(levels, &sets);
            for row in &rows {
                assert!(row.len() == levels.len() && row.iter().zip(*levels).all(|(level, count)| level < count));
            }
            for set in &sets {
                assert_eq!(missing(levels, set, &rows), 0, "{set:?} of {levels:?} in sets of {size}");
            }
        }
    }

    #[test]
    fn rows_are_few() {
        for levels in LEVELS {
            let factors: Vec<usize> = (0..levels.len()).collect();
            let mut largest = levels.to_vec();
            largest.sort_unstable_by(|a, b| b.cmp(a));
            for size in [2, 3] {
                let least: usize = largest.iter().take(size).product();
                let rows = rows(levels, &subsets(&factors, size.min(levels.len()))).len();
                assert!((least..=least * 3 / 2 + 2).contains(&rows), "{rows} rows of {levels:?}, {least} at least");
            }
        }
    }

    #[test]
    fn the_same_factors_give_the_same_rows() {
        let sets = subsets(&[0, 1, 2, 3, 4], 2);
        assert_eq!(rows(LEVELS[0], &sets), rows(LEVELS[0], &sets));
    }

    #[test]
    fn without_anything_to_cover_there_is_one_row() {
        assert_eq!(rows(&[2, 3], &[]), [[0, 0]]);
        assert_eq!(rows(&[], &[]), [[0; 0]]);
    }

    #[test]
    fn factors_outside_all_sets_have_levels_too() {
        for row in rows(&[3, 4, 2], &[vec![0, 1]]) {
            assert!(row.len() == 3 && row[2] < 2, "{row:?}");
        }
    }

    #[test]
    fn subsets_are_those_of_the_size() {
        assert_eq!(subsets(&[4, 7, 9], 2), [[4, 7], [4, 9], [7, 9]]);
        assert_eq!(subsets(&[4, 7], 3), Vec::<Vec<usize>>::new());
    }
}
