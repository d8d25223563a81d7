/** Who may stand on a roster, on one at a time. */
export interface Listed {
  /** Where it stands. */
  place: number;
}

/** A set whose members know their places: so it hashes nothing and leaves no garbage, however many come and go. In no order. */
export class Roster<Member extends Listed> {
  readonly #members: Member[] = [];

  get size(): number {
    return this.#members.length;
  }

  /** As they are now. */
  get all(): Member[] {
    return [...this.#members];
  }

  has(member: Member): boolean {
    return this.#members[member.place] === member;
  }

  /** One that stands on none. */
  add(member: Member): void {
    member.place = this.#members.push(member) - 1;
  }

  /** False: it did not stand there. */
  delete(member: Member): boolean {
    if (!this.has(member)) return false;
    const last = this.#members.pop() as Member;
    if (last === member) return true;
    this.#members[member.place] = last;
    last.place = member.place;
    return true;
  }
}
