//! The command line of a bench.

use std::process::ExitCode;

/// What is asked for: `--csv`, `--list`, and names.
#[derive(Default)]
pub(crate) struct Arguments {
    pub(crate) csv: bool,
    pub(crate) list: bool,
    pub(crate) names: Vec<String>,
}

impl Arguments {
    /// The program's arguments. `--help` prints the help and ends the program.
    ///
    /// # Errors
    /// If an option is none.
    pub(crate) fn read(help: &str) -> Result<Self, String> {
        let mut read = Self::default();
        for argument in std::env::args().skip(1) {
            match &argument[..] {
                "--csv" => read.csv = true,
                "--list" => read.list = true,
                "--bench" => {} // from cargo
                "--help" | "-h" => {
                    println!("{help}");
                    std::process::exit(0);
                }
                _ if argument.starts_with('-') => return Err(format!("{help}\n\nno option {argument}")),
                _ => read.names.push(argument),
            }
        }
        Ok(read)
    }
}

/// What a program ends with, its error told.
pub(crate) fn finish(outcome: Result<(), Box<dyn std::error::Error>>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
