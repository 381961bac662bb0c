//! What a compiler says of each entry point, as a table in a file that people and tests compare.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{gpu_kernels::Key, null_device::Statistics};

/// The columns of figures: their names in files, and what the driver calls them.
pub(super) const FIGURES: [(&str, &str); 13] = [
    ("subgroup", "Subgroup size"),
    ("vgprs", "VGPRs"),
    ("sgprs", "SGPRs"),
    ("spilled_vgprs", "Spilled VGPRs"),
    ("spilled_sgprs", "Spilled SGPRs"),
    ("scratch", "Scratch size"),
    ("lds", "LDS size"),
    ("waves", "Subgroups per SIMD"),
    ("code", "Code size"),
    ("instructions", "Instructions"),
    ("branches", "Branches"),
    ("latency", "Latency"),
    ("throughput", "Inverse Throughput"),
];

/// The columns that must be 0 but where a table says otherwise.
const FAULTS: [&str; 3] = ["spilled_vgprs", "spilled_sgprs", "scratch"];

/// What a compiler says of an entry point, in the order of [`FIGURES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Figures([u64; FIGURES.len()]);

impl Figures {
    /// The figures among what a driver tells.
    pub fn new(statistics: &Statistics) -> Result<Self, String> {
        let mut figures = [0; FIGURES.len()];
        for (figure, (_, name)) in figures.iter_mut().zip(FIGURES) {
            let found = statistics.iter().find(|(found, _)| found == name);
            figure.clone_from(&found.ok_or_else(|| format!("no `{name}` among {statistics:?}"))?.1);
        }
        Ok(Figures(figures))
    }

    /// The figure of a column.
    pub fn of(&self, column: &str) -> u64 {
        let place = FIGURES.iter().position(|(name, _)| *name == column);
        self.0[place.expect("a column of the table")]
    }

    /// The columns that differ.
    fn changes(&self, after: &Figures) -> Vec<String> {
        let both = FIGURES.iter().zip(self.0.iter().zip(after.0));
        both.filter(|(_, (before, after))| **before != *after)
            .map(|((name, _), (before, after))| format!("{name} {before} → {after}"))
            .collect()
    }
}

/// The columns of a [`Key`].
const KEYS: [&str; 4] = ["loss", "call", "entry", "lanes"];

/// Figures by entry point, in a fixed order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    pub driver: String,
    pub rows: BTreeMap<Key, Figures>,
}

impl Table {
    /// Tab-separated lines, the first of which names the driver and the second the columns.
    pub fn text(&self) -> String {
        let names: Vec<&str> = KEYS.into_iter().chain(FIGURES.map(|(name, _)| name)).collect();
        let mut text = format!("# {}\n{}\n", self.driver, names.join("\t"));
        for (key, Figures(figures)) in &self.rows {
            text.push_str(&key.join("\t"));
            figures.iter().for_each(|figure| write!(text, "\t{figure}").expect("a string takes it"));
            text.push('\n');
        }
        text
    }

    /// The table in a text of [`Table::text`].
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        let driver = lines.next().and_then(|line| line.strip_prefix("# ")).ok_or("no driver in line 1")?.to_string();
        let names: Vec<&str> = lines.next().ok_or("no columns in line 2")?.split('\t').collect();
        if !names.iter().copied().eq(KEYS.into_iter().chain(FIGURES.map(|(name, _)| name))) {
            return Err(format!("other columns: {names:?}"));
        }
        let row = |(number, line): (usize, &str)| {
            let mut cells = line.split('\t');
            let key: Vec<String> = cells.by_ref().take(KEYS.len()).map(String::from).collect();
            let figures: Option<Vec<u64>> = cells.map(|cell| cell.parse().ok()).collect();
            let figures = figures.and_then(|figures| figures.try_into().ok()).map(Figures);
            Key::try_from(key).ok().zip(figures).ok_or_else(|| format!("line {number} is no row: {line}"))
        };
        Ok(Table { driver, rows: (3..).zip(lines).map(row).collect::<Result<_, _>>()? })
    }

    /// What this table has of scratch memory and spilled registers that another has not.
    pub fn faults_beyond(&self, known: &Table) -> Vec<String> {
        let mut faults = Vec::new();
        for (key, figures) in &self.rows {
            for column in FAULTS {
                let (found, known) = (figures.of(column), known.rows.get(key).map_or(0, |known| known.of(column)));
                if found > known {
                    faults.push(format!("{}: {column} {known} → {found}", key.join(" ")));
                }
            }
        }
        faults
    }

    /// How this table differs from an earlier one, line by line; `is_whole` says whether what it lacks is gone.
    pub fn changes_since(&self, earlier: &Table, is_whole: bool) -> Vec<String> {
        let mut lines = Vec::new();
        if self.driver != earlier.driver {
            lines.push(format!("driver: {} → {}", earlier.driver, self.driver));
        }
        for (key, figures) in &self.rows {
            let changes = earlier.rows.get(key).map_or(vec!["new".to_string()], |before| before.changes(figures));
            if !changes.is_empty() {
                lines.push(format!("{}: {}", key.join(" "), changes.join(", ")));
            }
        }
        let gone = earlier.rows.keys().filter(|key| is_whole && !self.rows.contains_key(*key));
        lines.extend(gone.map(|key| format!("{}: gone", key.join(" "))));
        lines
    }

    /// Of each entry point of each loss the worst figures, where it has scratch memory or spilled registers, or less
    /// than a quarter of the most waves.
    pub fn worst(&self) -> Vec<String> {
        let most_waves = self.rows.values().map(|figures| figures.of("waves")).max().unwrap_or(0);
        let mut groups: BTreeMap<[&str; 2], Vec<&Figures>> = BTreeMap::new();
        for ([loss, _, entry, _], figures) in &self.rows {
            groups.entry([loss, entry]).or_default().push(figures);
        }
        let line = |([loss, entry], group): ([&str; 2], Vec<&Figures>)| {
            let most = |column| group.iter().map(|figures| figures.of(column)).max().unwrap_or(0);
            let waves = group.iter().map(|figures| figures.of("waves")).min().unwrap_or(0);
            let is_bad = FAULTS.into_iter().any(|fault| most(fault) > 0) || 4 * waves < most_waves;
            let most = ["vgprs", "spilled_vgprs", "spilled_sgprs", "scratch", "lds"].map(|name| (name, most(name)));
            let most = most.map(|(name, most)| format!("{name} {most}")).join(", ");
            is_bad.then(|| format!("{loss} {entry}, worst of {}: waves {waves}, {most}", group.len()))
        };
        groups.into_iter().filter_map(line).collect()
    }

    /// How many entry points there are, how many have scratch memory or spills, and how many have so many waves.
    pub fn summary(&self) -> String {
        let mut waves: BTreeMap<u64, usize> = BTreeMap::new();
        self.rows.values().for_each(|figures| *waves.entry(figures.of("waves")).or_default() += 1);
        let having = |columns: &[&str]| {
            self.rows.values().filter(|figures| columns.iter().any(|column| figures.of(column) > 0)).count()
        };
        let waves: Vec<String> = waves.into_iter().map(|(waves, count)| format!("{waves}: {count}")).collect();
        format!(
            "{} entry points, {} with scratch memory, {} with spilled registers; by waves per SIMD {}",
            self.rows.len(),
            having(&["scratch"]),
            having(&["spilled_vgprs", "spilled_sgprs"]),
            waves.join(", "),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(call: &str) -> Key {
        ["dice", call, "sum_regions", "256"].map(String::from)
    }

    fn figures(scratch: u64, waves: u64) -> Figures {
        let told = |(name, driver): (&str, &str)| {
            let figure = match name {
                "scratch" => scratch,
                "waves" => waves,
                _ => 0,
            };
            (driver.to_string(), figure)
        };
        Figures::new(&FIGURES.map(told).to_vec()).expect("all are told")
    }

    fn table(rows: &[(&str, Figures)]) -> Table {
        Table { driver: "none".to_string(), rows: rows.iter().map(|(call, figures)| (key(call), *figures)).collect() }
    }

    #[test]
    fn a_table_is_what_its_text_says() {
        let table = table(&[("2×3", figures(0, 16)), ("2×21", figures(512, 8))]);
        assert_eq!(Table::parse(&table.text()), Ok(table.clone()));
        for text in ["", "# none\nloss\n", &table.text().replace("512", "")] {
            assert!(Table::parse(text).is_err(), "{text}");
        }
        assert!(Figures::new(&Vec::new()).is_err());
    }

    #[test]
    fn scratch_memory_that_a_table_does_not_have_is_a_fault() {
        let known = table(&[("a", figures(512, 8)), ("b", figures(0, 8))]);
        assert_eq!(known.faults_beyond(&known), [""; 0]);
        assert_eq!(table(&[("a", figures(256, 4))]).faults_beyond(&known), [""; 0]);
        let worse = table(&[("a", figures(768, 8)), ("b", figures(4, 8)), ("c", figures(8, 8))]);
        let said = [
            "a sum_regions 256: scratch 512 → 768",
            "b sum_regions 256: scratch 0 → 4",
            "c sum_regions 256: scratch 0 → 8",
        ];
        assert_eq!(worse.faults_beyond(&known), said.map(|said| format!("dice {said}")));
    }

    #[test]
    fn changes_are_told_by_column() {
        let before = table(&[("a", figures(512, 8)), ("b", figures(0, 8)), ("c", figures(0, 8))]);
        let after = table(&[("a", figures(0, 12)), ("b", figures(0, 8)), ("d", figures(0, 4))]);
        let said =
            ["a sum_regions 256: scratch 512 → 0, waves 8 → 12", "d sum_regions 256: new", "c sum_regions 256: gone"];
        assert_eq!(after.changes_since(&before, true), said.map(|said| format!("dice {said}")));
        assert_eq!(after.changes_since(&before, false).len(), 2);
        let worst = "dice sum_regions, worst of 3: waves 8, \
                     vgprs 0, spilled_vgprs 0, spilled_sgprs 0, scratch 512, lds 0";
        assert_eq!(before.worst(), [worst]);
        assert!(after.summary().starts_with("3 entry points, 0 with scratch memory"), "{}", after.summary());
        assert!(after.summary().ends_with("4: 1, 8: 1, 12: 1"), "{}", after.summary());
    }
}
