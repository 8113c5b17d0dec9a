//! Figures in rows and columns.

use serde_json::{Map, Value, json};

/// Rows with names, and figures of one unit.
#[derive(Clone, Debug)]
pub struct Table {
    title: String,
    /// What the names of a row are.
    keys: Vec<&'static str>,
    columns: Vec<&'static str>,
    rows: Vec<(Vec<String>, Vec<f64>)>,
}

impl Table {
    pub fn new(title: impl Into<String>, keys: &[&'static str], columns: &[&'static str]) -> Self {
        Self { title: title.into(), keys: keys.to_vec(), columns: columns.to_vec(), rows: Vec::new() }
    }

    pub fn row(&mut self, names: impl Into<Vec<String>>, figures: impl Into<Vec<f64>>) {
        self.rows.push((names.into(), figures.into()));
    }

    /// For people: each column as wide as it must be.
    pub fn lines(&self) -> Vec<String> {
        let heads: Vec<String> = self.keys.iter().chain(&self.columns).map(|head| (*head).to_owned()).collect();
        let rows =
            self.rows.iter().map(|(names, figures)| names.iter().cloned().chain(figures.iter().map(|figure| format!("{figure:.0}"))).collect());
        let rows: Vec<Vec<String>> = std::iter::once(heads).chain(rows).collect();
        let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or_default();
        let widths: Vec<usize> = (0..self.keys.len() + self.columns.len()).map(width).collect();
        let cell = |(column, text): (usize, &String)| {
            let width = widths.get(column).copied().unwrap_or_default();
            if column < self.keys.len() { format!("{text:<width$}") } else { format!("{text:>width$}") }
        };
        let line = |row: &Vec<String>| format!("  {}", row.iter().enumerate().map(cell).collect::<Vec<_>>().join("  ")).trim_end().to_owned();
        std::iter::once(format!("  {}:", self.title)).chain(rows.iter().map(line)).collect()
    }

    /// For programs: each row an object.
    pub fn json(&self) -> Value {
        let row = |(names, figures): &(Vec<String>, Vec<f64>)| {
            let names = self.keys.iter().zip(names).map(|(key, name)| ((*key).to_owned(), json!(name)));
            let figures = self.columns.iter().zip(figures).map(|(column, figure)| ((*column).to_owned(), json!(figure)));
            Value::Object(names.chain(figures).collect::<Map<_, _>>())
        };
        json!({ "title": self.title, "rows": self.rows.iter().map(row).collect::<Vec<_>>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stand_below_their_column() {
        let mut table = Table::new("times, ms", &["actor"], &["worst", "n"]);
        table.row(["api".to_owned()], [1_234.4, 2.0]);
        assert_eq!(table.lines(), ["  times, ms:", "  actor  worst  n", "  api     1234  2"]);
        assert_eq!(table.json()["rows"][0], json!({ "actor": "api", "worst": 1_234.4, "n": 2.0 }));
    }
}
