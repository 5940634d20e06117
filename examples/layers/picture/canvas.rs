//! Where shapes and text are drawn: three times as large as it is written, so that edges come out smooth.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::Once;

use plotters::prelude::*;
use plotters::style::{
    FontStyle, register_font,
    text_anchor::{HPos, Pos, VPos},
};
use retrograd::prelude::Result;

pub(crate) use plotters::style::RGBColor as Colour;

pub(crate) const INK: Colour = Colour(38, 42, 48);
pub(crate) const GREY: Colour = Colour(128, 134, 142);
pub(crate) const LIGHT: Colour = Colour(238, 240, 243);
pub(crate) const WHITE: Colour = Colour(255, 255, 255);
pub(crate) const BLUE: Colour = Colour(45, 105, 175);
pub(crate) const ORANGE: Colour = Colour(224, 130, 50);
pub(crate) const GREEN: Colour = Colour(60, 150, 105);
pub(crate) const RED: Colour = Colour(196, 70, 60);
pub(crate) const PURPLE: Colour = Colour(125, 90, 165);

/// How many times larger than written things are drawn.
pub(super) const FINE: i32 = 3;

/// `share` of the way from one colour to another.
pub(crate) fn mix(from: Colour, to: Colour, share: f32) -> Colour {
    let mix =
        |a: u8, b: u8| (f32::from(a) + (f32::from(b) - f32::from(a)) * share.clamp(0.0, 1.0)).round() as u8;
    Colour(mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2))
}

/// Whether text on the colour is better white.
pub(super) fn is_dark(Colour(red, green, blue): Colour) -> bool {
    3 * u32::from(red) + 6 * u32::from(green) + u32::from(blue) < 1510
}

/// A font of `size`, of the bundled kind: the machine may have none.
pub(super) fn font(size: i32) -> FontDesc<'static> {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        let _ = register_font("sans-serif", FontStyle::Normal, notosans::REGULAR_TTF);
    });
    FontDesc::new(FontFamily::SansSerif, f64::from(size * FINE), FontStyle::Normal)
}

/// The width of a text.
pub(super) fn text_width(text: &str, size: i32) -> i32 {
    font(size).box_size(text).map_or(0, |(width, _)| width as i32 / FINE)
}

/// What cannot be drawn.
pub(super) fn drawn<V, E: std::fmt::Display>(result: std::result::Result<V, E>) -> Result<V> {
    result.map_err(|error| super::failed(error.to_string()))
}

/// A white sheet.
pub(crate) struct Canvas {
    width: i32,
    height: i32,
    bytes: Vec<u8>,
}

impl Canvas {
    pub(super) fn new(width: i32, height: i32) -> Self {
        Self { width, height, bytes: vec![255; (3 * FINE * FINE * width * height) as usize] }
    }

    /// The sheet for `plotters`, in fine coordinates.
    pub(super) fn area(&mut self) -> DrawingArea<BitMapBackend<'_>, plotters::coord::Shift> {
        let size = ((self.width * FINE) as u32, (self.height * FINE) as u32);
        BitMapBackend::with_buffer(&mut self.bytes, size).into_drawing_area()
    }

    /// A filled rectangle.
    pub(crate) fn fill(&mut self, x: i32, y: i32, width: i32, height: i32, colour: Colour) -> Result<()> {
        let corners = [(x * FINE, y * FINE), ((x + width) * FINE, (y + height) * FINE)];
        drawn(self.area().draw(&Rectangle::new(corners, colour.filled())))
    }

    /// The outline of a rectangle, as thin as it can be seen.
    pub(crate) fn frame(&mut self, x: i32, y: i32, width: i32, height: i32, colour: Colour) -> Result<()> {
        let (right, bottom) = (x + width, y + height);
        self.line(&[(x, y), (right, y), (right, bottom), (x, bottom), (x, y)], 1, colour)
    }

    /// A line along points.
    pub(crate) fn line(&mut self, points: &[(i32, i32)], thick: i32, colour: Colour) -> Result<()> {
        let points: Vec<_> = points.iter().map(|&(x, y)| (x as f32, y as f32)).collect();
        self.curve(&points, thick, colour)
    }

    /// A line along points that lie between pixels.
    pub(crate) fn curve(&mut self, points: &[(f32, f32)], thick: i32, colour: Colour) -> Result<()> {
        let points: Vec<_> = points.iter().map(fine).collect();
        drawn(self.area().draw(&PathElement::new(points, colour.stroke_width((thick * FINE) as u32))))
    }

    /// Points of their own.
    pub(crate) fn dots(&mut self, points: &[(f32, f32)], colour: Colour) -> Result<()> {
        let area = self.area();
        points
            .iter()
            .try_for_each(|point| drawn(area.draw(&Circle::new(fine(point), FINE + 1, colour.filled()))))
    }

    /// A filled polygon.
    pub(crate) fn polygon(&mut self, points: &[(i32, i32)], colour: Colour) -> Result<()> {
        let points: Vec<_> = points.iter().map(|&(x, y)| (x * FINE, y * FINE)).collect();
        drawn(self.area().draw(&Polygon::new(points, colour.filled())))
    }

    /// A filled circle.
    pub(crate) fn circle(&mut self, x: i32, y: i32, radius: i32, colour: Colour) -> Result<()> {
        drawn(self.area().draw(&Circle::new((x * FINE, y * FINE), radius * FINE, colour.filled())))
    }

    /// A text with its middle at a point.
    pub(crate) fn text(&mut self, x: i32, y: i32, size: i32, text: &str, colour: Colour) -> Result<()> {
        self.write_text(x, y, size, text, colour, HPos::Center)
    }

    /// A text that begins at a point.
    pub(crate) fn text_after(&mut self, x: i32, y: i32, size: i32, text: &str, colour: Colour) -> Result<()> {
        self.write_text(x, y, size, text, colour, HPos::Left)
    }

    /// A text that ends at a point.
    pub(crate) fn text_before(
        &mut self,
        x: i32,
        y: i32,
        size: i32,
        text: &str,
        colour: Colour,
    ) -> Result<()> {
        self.write_text(x, y, size, text, colour, HPos::Right)
    }

    fn write_text(&mut self, x: i32, y: i32, size: i32, text: &str, colour: Colour, at: HPos) -> Result<()> {
        // `plotters` hangs a text on its top; a quarter of the font's height below that is the middle of its
        // capitals and digits.
        let style = font(size).color(&colour).pos(Pos::new(at, VPos::Top));
        let place = (x * FINE, y * FINE - size * FINE * 24 / 100);
        drawn(self.area().draw(&Text::new(text, place, style)))
    }

    /// Writes the sheet in the size it was asked for: each pixel the mean of those drawn.
    pub(super) fn write(self, path: &Path) -> std::result::Result<(), String> {
        let (width, fine) = (self.width as usize, FINE as usize);
        let mut small = Vec::with_capacity(3 * width * self.height as usize);
        for rows in self.bytes.chunks_exact(3 * fine * fine * width) {
            for at in 0..3 * width {
                let (pixel, channel) = (at / 3, at % 3);
                let byte = |i: usize| {
                    u32::from(rows[3 * (i / fine * fine * width + pixel * fine + i % fine) + channel])
                };
                let sum: u32 = (0..fine * fine).map(byte).sum();
                small.push((sum / (fine * fine) as u32) as u8);
            }
        }
        let file = File::create(path).map_err(|error| error.to_string())?;
        let mut encoder = png::Encoder::new(BufWriter::new(file), self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgb);
        let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&small));
        written.map_err(|error| error.to_string())
    }
}

/// A point in fine coordinates.
fn fine(&(x, y): &(f32, f32)) -> (i32, i32) {
    ((x * FINE as f32).round() as i32, (y * FINE as f32).round() as i32)
}
