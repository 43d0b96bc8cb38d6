use hashbrown::HashMap;

/// Names by their numbers, as they come.
#[derive(Debug, Default)]
pub(crate) struct Names {
    numbers: HashMap<Vec<u8>, u32>,
    list: Vec<Vec<u8>>,
    text: Vec<u8>,
}

impl Names {
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn name(&self, number: u32) -> Option<&[u8]> {
        self.list.get(number as usize).map(Vec::as_slice)
    }

    /// The number of a name.
    pub(crate) fn number(&mut self, name: &[u8]) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.list.len() as u32;
        self.numbers.insert(name.to_vec(), number);
        self.list.push(name.to_vec());
        number
    }

    /// The number of the name that `write` writes, or that of nobody if there is none.
    pub(crate) fn number_of(&mut self, write: impl FnOnce(&mut Vec<u8>) -> bool) -> u32 {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        let number = if write(&mut text) { self.number(&text) } else { u32::MAX };
        self.text = text;
        number
    }

    /// All numbers, in the order of their names.
    pub(crate) fn in_order(&self) -> Vec<u32> {
        let mut numbers: Vec<u32> = (0..self.list.len() as u32).collect();
        numbers.sort_by(|one, other| self.list[*one as usize].cmp(&self.list[*other as usize]));
        numbers
    }
}
