//! The order of the page: that of the catalogue, by families.

use wgloss::{losses, spec::Family};

/// The heading over losses that this version does not know.
const OTHERS: &str = "Other losses";

/// What there is of each loss, under the headings of the families.
pub fn by_family<T>(items: impl IntoIterator<Item = T>, loss: impl Fn(&T) -> &str) -> Vec<(&'static str, Vec<T>)> {
    let mut items: Vec<T> = items.into_iter().collect();
    items.sort_by_key(|item| position(loss(item)));
    let mut families: Vec<(&'static str, Vec<T>)> = Vec::new();
    for item in items {
        let title = losses::find(loss(&item)).map_or(OTHERS, |spec| Family::title(spec.family));
        match families.last_mut().filter(|(last, _)| *last == title) {
            Some((_, family)) => family.push(item),
            None => families.push((title, vec![item])),
        }
    }
    families
}

/// What there is of each loss, in the order of the catalogue.
pub fn by_loss<T>(items: impl IntoIterator<Item = T>, loss: impl Fn(&T) -> &str) -> Vec<Vec<T>> {
    let mut groups: Vec<Vec<T>> = Vec::new();
    for item in items {
        match groups.iter_mut().find(|group| loss(&group[0]) == loss(&item)) {
            Some(group) => group.push(item),
            None => groups.push(vec![item]),
        }
    }
    groups.sort_by_key(|group| position(loss(&group[0])));
    groups
}

/// Where the loss is in the catalogue: behind its end if this version does not know it.
fn position(loss: &str) -> usize {
    losses::ALL.iter().position(|spec| spec.name == loss).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_losses_come_last() {
        let losses = ["new", "softmax", "mae", "mse", "newer", "mse"];
        let families = by_family(losses, |loss| loss);
        assert_eq!(
            families,
            [
                ("Regression", vec!["mse", "mse", "mae"]),
                ("Functions of rows", vec!["softmax"]),
                ("Other losses", vec!["new", "newer"]),
            ]
        );
        let groups = by_loss(losses, |loss| loss);
        assert_eq!(groups, [vec!["mse", "mse"], vec!["mae"], vec!["softmax"], vec!["new"], vec!["newer"]]);
    }
}
