//! Pictures for the tutorial: rows of panels, laid out and written as PNG.
//!
//! Nothing here is needed to use the library. A panel is a tensor drawn as coloured cells, or a plot, or a drawing.
#![allow(dead_code, unused_imports, reason = "each program of the tutorial uses a part")]

mod canvas;
mod plot;
mod scene;

use std::path::PathBuf;

use clap::Parser;
use retrograd::prelude::*;
use retrograd::tensor::Element;

pub(crate) use canvas::{BLUE, Canvas, Colour, GREEN, GREY, INK, LIGHT, ORANGE, PURPLE, RED, WHITE, mix};
pub(crate) use plot::{Curve, Plot};
pub(crate) use scene::scene;

/// A program of the tutorial about layers; writes pictures.
#[derive(Parser)]
pub(crate) struct Options {
    /// The folder that the pictures go to
    #[arg(default_value = "target/layers")]
    folder: PathBuf,
}

/// Where the pictures go: the program's argument. The folder is made if it does not exist.
pub(crate) fn folder() -> Result<PathBuf> {
    let folder = Options::parse().folder;
    if folder.is_file() {
        return Err(failed(format!("{}: is a file, expected a folder", folder.display())));
    }
    match std::fs::create_dir_all(&folder) {
        Ok(()) => Ok(folder),
        Err(error) => Err(failed(format!("{}: {error}", folder.display()))),
    }
}

fn failed(fact: String) -> Error {
    Error::outside("picture", fact)
}

/// Space around a figure and between its rows and panels; heights of a title and a note.
const MARGIN: i32 = 28;
const GAP: i32 = 34;
const LINE: i32 = 24;

/// Rows of panels.
#[derive(Default)]
pub(crate) struct Figure(Vec<Vec<Panel>>);

impl Figure {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// One more row, below the others.
    pub(crate) fn row(mut self, panels: impl IntoIterator<Item = Panel>) -> Self {
        self.0.push(panels.into_iter().collect());
        self
    }

    /// Draws the figure into `folder/name.png` and prints the path.
    pub(crate) fn save(self, folder: &std::path::Path, name: &str) -> Result<()> {
        let width =
            |row: &Vec<Panel>| row.iter().map(Panel::slot).sum::<i32>() + GAP * (row.len() as i32 - 1);
        let height = |row: &Vec<Panel>| row.iter().map(Panel::height).max().unwrap_or(0);
        let whole = self.0.iter().map(width).max().unwrap_or(0) + 2 * MARGIN;
        let tall = self.0.iter().map(height).sum::<i32>() + GAP * (self.0.len() as i32 - 1) + 2 * MARGIN;
        let mut canvas = Canvas::new(whole, tall);
        let mut y = MARGIN;
        for row in &self.0 {
            let mut x = (whole - width(row)) / 2;
            for panel in row {
                let (left, top) =
                    (x + (panel.slot() - panel.width) / 2, y + (height(row) - panel.height()) / 2);
                panel.draw(&mut canvas, left, top)?;
                x += panel.slot() + GAP;
            }
            y += height(row) + GAP;
        }
        let path = folder.join(format!("{name}.png"));
        canvas.write(&path).map_err(|fact| failed(format!("{}: {fact}", path.display())))?;
        println!("drew {}", path.display());
        Ok(())
    }
}

/// Draws on a canvas, from the upper left corner (x, y) on.
type Paint = Box<dyn Fn(&mut Canvas, i32, i32) -> Result<()>>;

/// Something to look at, with a title above and a note below.
pub(crate) struct Panel {
    width: i32,
    /// The height without the texts.
    content: i32,
    /// The least width to take.
    room: i32,
    title: String,
    note: String,
    paint: Paint,
}

impl Panel {
    /// A drawing of its own: `paint` is given the canvas and the upper left corner.
    pub(crate) fn drawing(
        width: i32,
        height: i32,
        paint: impl Fn(&mut Canvas, i32, i32) -> Result<()> + 'static,
    ) -> Self {
        Self {
            width,
            content: height,
            room: 0,
            title: String::new(),
            note: String::new(),
            paint: Box::new(paint),
        }
    }

    /// A grid of squares, each of a colour; with `texts` in them, and lines between, or none.
    pub(crate) fn cells(
        [rows, columns]: [usize; 2],
        cell: i32,
        texts: Option<Vec<String>>,
        colour: impl Fn(usize, usize) -> Colour + 'static,
    ) -> Self {
        let (width, height) = (columns as i32 * cell, rows as i32 * cell);
        let longest = texts.iter().flatten().map(|text| text.chars().count() as i32).max().unwrap_or(1);
        let size = (cell / 2).min(cell * 3 / (2 * longest.max(1))).clamp(9, 18);
        Self::drawing(width, height, move |canvas, x, y| {
            for (i, j) in (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j))) {
                let (left, top) = (x + j as i32 * cell, y + i as i32 * cell);
                canvas.fill(left, top, cell, cell, colour(i, j))?;
                if let Some(texts) = &texts {
                    let ink = if canvas::is_dark(colour(i, j)) { WHITE } else { INK };
                    canvas.frame(left, top, cell, cell, GREY)?;
                    canvas.text(left + cell / 2, top + cell / 2, size, &texts[i * columns + j], ink)?;
                }
            }
            canvas.frame(x, y, width, height, GREY)
        })
    }

    /// A grid of squares without texts.
    pub(crate) fn grid(
        [rows, columns]: [usize; 2],
        cell: i32,
        colour: impl Fn(usize, usize) -> Colour + 'static,
    ) -> Self {
        Self::cells([rows, columns], cell, Some(vec![String::new(); rows * columns]), colour)
    }

    /// A picture of three channels, red, green and blue from 0 to 1, or of one, black to white.
    pub(crate) fn image(image: &Tensor, cell: i32) -> Result<Self> {
        let [.., rows, columns] = image.shape()[..] else { return Err(failed("expected an image".into())) };
        let (values, size) = (image.to_vec(), rows * columns);
        Ok(Self::cells([rows, columns], cell, None, move |i, j| {
            let channel =
                |c: usize| (values[(c * size + i * columns + j) % values.len()] * 255.0).round() as u8;
            Colour(channel(0), channel(1), channel(2))
        }))
    }

    /// One channel of numbers of either sign: red below zero, white at zero, blue above.
    pub(crate) fn signed(plane: &Tensor, cell: i32) -> Result<Self> {
        Self::heat(plane, cell, false)
    }

    /// As `signed`, with the numbers written into the cells.
    pub(crate) fn weights(plane: &Tensor, cell: i32) -> Result<Self> {
        Self::heat(plane, cell, true)
    }

    fn heat(plane: &Tensor, cell: i32, write: bool) -> Result<Self> {
        let [.., rows, columns] = plane.shape()[..] else { return Err(failed("expected a plane".into())) };
        let values = plane.to_vec();
        let texts = write.then(|| texts(plane));
        let largest = values.iter().fold(1e-6f32, |largest, x| largest.max(x.abs()));
        Ok(Self::cells([rows, columns], cell, texts, move |i, j| {
            let value = values[i * columns + j];
            mix(WHITE, if value < 0.0 { RED } else { BLUE }, (value / largest).abs())
        }))
    }

    /// A small matrix of numbers, each on the colour of its row and column.
    pub(crate) fn table<T: Element>(
        matrix: &Tensor<T>,
        cell: i32,
        colour: impl Fn(usize, usize) -> Colour + 'static,
    ) -> Result<Self> {
        let [.., rows, columns] = matrix.shape()[..] else { return Err(failed("expected a matrix".into())) };
        Ok(Self::cells([rows, columns], cell, Some(texts(matrix)), colour))
    }

    /// A sign between panels, such as "=".
    pub(crate) fn sign(text: &str) -> Self {
        let text = text.to_string();
        Self::drawing(20, 28, move |canvas, x, y| canvas.text(x + 10, y + 14, 28, &text, GREY))
    }

    /// An arrow between panels, with a word on it.
    pub(crate) fn arrow(word: &str) -> Self {
        let word = word.to_string();
        let width = canvas::text_width(&word, 14).max(44) + 12;
        Self::drawing(width, 40, move |canvas, x, y| {
            canvas.text(x + width / 2, y + 7, 14, &word, GREY)?;
            canvas.line(&[(x, y + 20), (x + width - 5, y + 20)], 2, GREY)?;
            canvas.polygon(&[(x + width, y + 20), (x + width - 9, y + 15), (x + width - 9, y + 25)], GREY)
        })
    }

    /// Names of colours, side by side.
    pub(crate) fn legend(entries: &[(&str, Colour)]) -> Self {
        let entries: Vec<_> = entries.iter().map(|(name, colour)| (name.to_string(), *colour)).collect();
        let widths: Vec<_> = entries.iter().map(|(name, _)| canvas::text_width(name, 15) + 60).collect();
        Self::drawing(widths.iter().sum::<i32>() - 28, 20, move |canvas, mut x, y| {
            for ((name, colour), width) in entries.iter().zip(&widths) {
                canvas.line(&[(x, y + 10), (x + 24, y + 10)], 4, *colour)?;
                canvas.text_after(x + 32, y + 10, 15, name, INK)?;
                x += width;
            }
            Ok(())
        })
    }

    /// With a title above.
    pub(crate) fn titled(self, title: impl Into<String>) -> Self {
        Self { title: title.into(), ..self }
    }

    /// With a note below.
    pub(crate) fn noted(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    /// In the middle of at least this width, to stand below another panel.
    pub(crate) fn within(self, room: i32) -> Self {
        Self { room, ..self }
    }

    /// The width that the panel takes, its texts included.
    fn slot(&self) -> i32 {
        let text = canvas::text_width(&self.title, 16).max(canvas::text_width(&self.note, 14));
        self.width.max(text - GAP / 2).max(self.room)
    }

    /// Title and note take the same room, so that neighbours in a row are centred on one line.
    fn height(&self) -> i32 {
        let texts = if self.title.is_empty() && self.note.is_empty() { 0 } else { 2 * LINE };
        self.content + texts
    }

    fn draw(&self, canvas: &mut Canvas, x: i32, y: i32) -> Result<()> {
        let middle = x + self.width / 2;
        let top = y + (self.height() - self.content) / 2;
        canvas.text(middle, top - LINE / 2 - 3, 16, &self.title, INK)?;
        (self.paint)(canvas, x, top)?;
        canvas.text(middle, top + self.content + LINE / 2 + 2, 14, &self.note, GREY)
    }
}

/// The numbers of a tensor as texts: whole, or all with as many digits as the first two after the point need.
fn texts<T: Element>(tensor: &Tensor<T>) -> Vec<String> {
    let values: Vec<f64> = tensor.to_vec().into_iter().map(T::as_f64).collect();
    let fits = |scale: f64| values.iter().all(|x| (x * scale - (x * scale).round()).abs() < 1e-4);
    let digits = if fits(1.0) {
        0
    } else if fits(10.0) {
        1
    } else {
        2
    };
    values.iter().map(|x| format!("{x:.digits$}").replace('-', "−")).collect()
}
