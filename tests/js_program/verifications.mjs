// Verification by emoji with matrix-js-sdk; every change of one is told as an event.

import { CryptoEvent, VerificationPhase, VerificationRequestEvent, VerifierEvent } from "matrix-js-sdk/lib/crypto-api/index.js";

export class Verifications {
    constructor(client, tell) {
        this.client = client;
        this.crypto = client.getCrypto();
        this.tell = tell;
        this.known = new Map();
        client.on(CryptoEvent.VerificationRequestReceived, (request) => this.#follow(request));
    }

    async request_own() {
        const me = this.client.getUserId();
        await this.crypto.getUserDeviceInfo([me], true);
        await this.crypto.userHasCrossSigningKeys(me, true);
        return this.#follow(await this.crypto.requestOwnUserVerification());
    }

    async request_device({ user_id, device_id }) {
        await this.crypto.getUserDeviceInfo([user_id], true);
        return this.#follow(await this.crypto.requestDeviceVerification(user_id, device_id));
    }

    async request_person({ user_id, room_id }) {
        await this.crypto.userHasCrossSigningKeys(user_id, true);
        return this.#follow(await this.crypto.requestVerificationDM(user_id, room_id));
    }

    async accept({ id }) {
        await this.#of(id).request.accept();
    }

    async start({ id }) {
        const known = this.#of(id);
        this.#work_on(known, await known.request.startVerification("m.sas.v1"));
    }

    async confirm({ id }) {
        await this.#of(id).sas.confirm();
    }

    async mismatch({ id }) {
        this.#of(id).sas.mismatch();
    }

    async cancel({ id }) {
        await this.#of(id).request.cancel();
    }

    #of(id) {
        const known = this.known.get(id);
        if (!known) throw new Error(`no verification ${id}`);
        return known;
    }

    #follow(request) {
        const id = request.transactionId;
        if (this.known.has(id)) return id;
        const known = { id, request, sas: null, verifier: null, failure: "" };
        this.known.set(id, known);
        request.on(VerificationRequestEvent.Change, () => this.#changed(known));
        this.#changed(known);
        return id;
    }

    #changed(known) {
        const { request } = known;
        if (request.phase === VerificationPhase.Started && request.verifier) this.#work_on(known, request.verifier);
        this.tell("verification", {
            id: known.id,
            phase: VerificationPhase[request.phase].toLowerCase(),
            other_user: request.otherUserId,
            other_device: request.otherDeviceId ?? "",
            room_id: request.roomId ?? "",
            own: request.isSelfVerification,
            ours: request.initiatedByMe,
            emoji: known.sas?.sas.emoji ?? [],
            code: request.cancellationCode ?? "",
            failure: known.failure,
        });
    }

    // A start by either side; `verify` accepts the other's, and is over when all is over.
    #work_on(known, verifier) {
        if (known.verifier === verifier) return;
        known.verifier = verifier;
        verifier.on(VerifierEvent.ShowSas, (sas) => {
            known.sas = sas;
            this.#changed(known);
        });
        verifier.verify().catch((error) => {
            known.failure = String(error?.message ?? error);
            this.#changed(known);
        });
    }
}
